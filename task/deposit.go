package task

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// depositFrame is a durable task as it is stored.
const depositFrame = 'D'

// maxCodes bounds how many errors a stored task may be tried again after.
const maxCodes = 1024

// deposit is a durable task as it is stored.
type deposit struct {
	deadline int64         // ns of Unix time, by its owner's clock; 0: none
	policy   []byte        // equal for tasks with equal options
	args     call.WireArgs // with what stands before those of a durable task
	plain    bool          // of a plain client: the result is wanted as JSON
}

func (d *deposit) frame() []byte {
	b := bus.AppendInt(bus.AppendFrame(make([]byte, 0, 32+len(d.policy)+len(d.args)), depositFrame), d.deadline)
	return bus.AppendBytes(bus.AppendBytes(b, d.policy), d.args)
}

// readDeposit reads what frame wrote, as views.
func readDeposit(frame []byte) (d deposit, err error) {
	r, kind := bus.ReadFrame(frame)
	if kind != depositFrame {
		r.Fail("no durable task")
	}
	d.deadline, d.policy, d.args = r.Int(), r.Bytes(), r.Bytes()
	if err := r.Err(); err != nil {
		return d, err
	}
	_, err = d.args.List()
	return d, err
}

// late says whether the task's time is over.
func (d *deposit) late(now time.Time) bool { return d.deadline != 0 && now.UnixNano() >= d.deadline }

// blobs are the arguments that are in the bucket.
func (d *deposit) blobs() (blobs []bus.Blob) {
	args, _ := d.args.List() // it was read before
	for _, a := range args {
		if a.Blob != nil {
			blobs = append(blobs, a.Blob.Blob)
		}
	}
	return blobs
}

// policy is what the options of a durable task say to whoever runs it.
type policy struct {
	need    member.Amounts
	placing call.Placing
	retries int
	backoff call.Backoff
	any     bool     // every error of the function is a reason to try again
	codes   []string // or these
	keep    time.Duration
}

// policyOf is the policy of options, or says why tasks with these cannot be stored.
func policyOf(o *call.Options) (p policy, err error) {
	p = policy{
		need: o.Need, placing: o.Placing, retries: o.Retries, backoff: o.Backoff, any: o.RetryOn.Any, keep: max(o.KeepFor, time.Second),
	}
	if o.Bundle != (member.Bundle{}) {
		return p, errors.New("a durable task in a placement group: the group ends with its creator, so use Labels or Resources")
	}
	for _, e := range o.RetryOn.Errors {
		code := bus.ErrorCode(e)
		if code == bus.UnknownCode {
			return p, fmt.Errorf("a durable task with RetryOn(%q): its policy is stored, so register the error with task.RegisterError", e)
		}
		p.codes = append(p.codes, code)
	}
	return p, nil
}

const (
	policyAny = 1 << iota
	policySoft
	policySpread
)

func (p *policy) appendTo(b []byte) []byte {
	flags := byte(0)
	if p.any {
		flags |= policyAny
	}
	if p.placing.Soft {
		flags |= policySoft
	}
	if p.placing.Spread {
		flags |= policySpread
	}
	b = bus.AppendUint(append(b, flags), uint64(p.retries))
	for _, d := range []time.Duration{p.backoff.First, p.backoff.Max, p.keep} {
		b = bus.AppendUint(b, uint64(d))
	}
	b = bus.AppendString(append(b, p.placing.Node[:]...), p.placing.Labels.String())
	b = bus.AppendUint(b, uint64(len(p.codes)))
	for _, code := range p.codes {
		b = bus.AppendString(b, code)
	}
	return call.AppendNeed(b, p.need)
}

// readPolicy reads what appendTo wrote.
func readPolicy(b []byte) (p policy, err error) {
	r := bus.ReadFields(b)
	flags := r.Byte()
	p.any, p.placing.Soft, p.placing.Spread = flags&policyAny != 0, flags&policySoft != 0, flags&policySpread != 0
	p.retries = int(min(r.Uint(), call.LastAttempt))
	for _, d := range []*time.Duration{&p.backoff.First, &p.backoff.Max, &p.keep} {
		*d = time.Duration(min(r.Uint(), math.MaxInt64))
	}
	copy(p.placing.Node[:], r.Raw(len(p.placing.Node)))
	labels := r.String()
	for range min(r.Count(), maxCodes) {
		p.codes = append(p.codes, r.String())
	}
	p.need = call.ReadNeed(&r)
	if r.Err() != nil {
		return p, r.Err()
	}
	if labels != "" {
		p.placing.Labels, err = member.ParseSelectors(labels)
	}
	return p, err
}

// target is what a node that has taken such a task calls: once, here if it can be. What is tried again is given back.
func (p *policy) target(function string, here member.ID) *call.Target {
	o := call.Options{Need: p.need, Placing: p.placing, KeepFor: p.keep}
	if o.Placing.Node == (member.ID{}) && !o.Placing.Spread {
		o.Placing.Node, o.Placing.Soft = here, true
	}
	o.NeedKey, o.PlaceKey = needKey(o.Need, o.Bundle), o.Placing.String()
	return &call.Target{Name: function, Options: o, Submit: submit}
}

// again is the retry policy for a task whose attempt has failed; failed is nil if its node was lost.
func (p *policy) again(attempt int, failed *Error, chance float64) (wait time.Duration, ok bool) {
	o := call.Options{Retries: p.retries, Backoff: p.backoff}
	o.RetryOn.Any = p.any || failed != nil && slices.Contains(p.codes, failed.Code)
	return again(&o, attempt, failed, chance)
}

// keyTokens is where the text of an id is cut in two tokens: the first is the same for all durable tasks of an owner, and of nobody else.
const keyTokens = 13

// keyOf is the name of a durable task in subjects and buckets.
func keyOf(id objstore.ID) string {
	text := id.String()
	return text[:keyTokens] + "." + text[keyTokens:]
}
