package task

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/logs"
	"manta/internal/member"
	"manta/objstore"
)

// adoption is a durable task that this node has.
type adoption struct {
	key      string
	trade    *trade
	delivery bus.Delivery
	deposit  deposit
	policy   *adoptedPolicy
	handed   handed
	task     *submission // nil until it is submitted here
	extended time.Time   // when JetStream was last told that it is still here
	over     bool        // it has an outcome
}

// take takes in a task that was handed over.
func (a *adopter) take(t *trade, d bus.Delivery) {
	_, key, ok := a.d.node.Conn.ParseDurable(d.Msg.Subject)
	if !ok {
		return
	}
	ad := &adoption{key: key, trade: t, delivery: d, extended: time.Now()}
	ad.handed = handed{attempt: d.Attempt, repeated: d.Repeated()}
	if !a.keeps(ad) {
		return
	}
	if err := a.read(ad); err != nil {
		a.record(ad, &objstore.Outcome{Err: fmt.Errorf("durable task %s of %q: %w", key, t.name, err)})
		return
	}
	a.proceed(ad)
}

// keeps says whether a task that was handed over is taken on.
func (a *adopter) keeps(ad *adoption) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ended := a.ended[ad.key]
	switch here := a.adoptions[ad.key]; {
	case here != nil: // this node was slow to say that it has it
		here.delivery = ad.delivery
	case a.stopped:
		_ = ad.delivery.GiveBack(0) // if it is lost the task is handed over again a little later
	case ended:
		_ = ad.delivery.Ack() // it was taken out of the stream already
	default:
		a.adoptions[ad.key] = ad
		a.left.Add()
		ad.trade.held++
		return true
	}
	return false
}

// read decodes what was stored.
func (a *adopter) read(ad *adoption) (err error) {
	ad.policy = &adoptedPolicy{}
	msg := ad.delivery.Msg
	if len(msg.Data) == 0 || msg.Data[0] != bus.FrameMark {
		ad.deposit, ad.policy.policy, err = plainDeposit(ad.trade.function, ad.key, msg)
	} else if ad.deposit, err = readDeposit(msg.Data); err == nil {
		a.mu.Lock()
		known := ad.trade.policies[string(ad.deposit.policy)]
		a.mu.Unlock()
		if known != nil {
			ad.policy = known
			return nil
		}
		ad.policy.policy, err = readPolicy(ad.deposit.policy)
	}
	if err != nil {
		return err
	}
	ad.policy.target = ad.policy.policy.target(ad.trade.name, a.d.node.ID)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(ad.trade.policies) >= policiesKept {
		clear(ad.trade.policies)
	}
	ad.trade.policies[string(ad.deposit.policy)] = ad.policy
	return nil
}

// proceed does what is to be done with a task next.
func (a *adopter) proceed(ad *adoption) {
	what, err := ad.handed.judge(ad.trade.name, &ad.deposit, ad.policy.retries, time.Now())
	switch what {
	case runIt:
		a.run(ad)
	case recordIt:
		a.record(ad, &objstore.Outcome{Err: err})
	case dropIt:
		a.finish(ad)
	case lookFirst:
		if !a.d.group.Go(func(ctx context.Context) { a.look(ctx, ad) }) {
			a.giveBack(ad, 0)
		}
	}
}

// look looks for the record of a task that somebody else has had before.
func (a *adopter) look(ctx context.Context, ad *adoption) {
	select {
	case a.looking <- struct{}{}:
		defer func() { <-a.looking }()
	case <-ctx.Done():
	}
	looking, cancel := context.WithTimeout(ctx, lookAgain)
	defer cancel()
	_, archive := a.d.stores()
	if archive == nil {
		a.giveBack(ad, time.Second)
		return
	}
	msg, err := archive.Get(looking, ad.key)
	if err != nil {
		a.d.node.Log.Warn("a durable task is given back: whether it has a result is not known", logs.Task(ad.trade.name), logs.Key(ad.key), zap.Error(err))
		a.giveBack(ad, time.Second)
		return
	}
	ad.handed.looked, ad.handed.recorded = true, msg != nil
	a.proceed(ad)
}

// run submits a task here.
func (a *adopter) run(ad *adoption) {
	ctx := a.d.group.Context()
	release := func() {}
	if ad.deposit.deadline != 0 {
		ctx, release = context.WithDeadline(ctx, time.Unix(0, ad.deposit.deadline))
	}
	s := a.owner.adopt(ctx, ad.policy.target, ad.deposit.args, uint16(min(ad.handed.attempt, call.LastAttempt)), ad.deposit.plain)
	a.mu.Lock()
	ad.task = s
	if l := s.lane; l != nil && !ad.over {
		ad.trade.lanes[l] = struct{}{}
	}
	_, ended := a.ended[ad.key]
	a.mu.Unlock()
	if ended {
		s.Cancel()
	}
	a.d.store.When(s.Object, func(out objstore.Outcome) {
		release()
		a.concluded(ad, out)
	})
}

// adopt is submit for a task that somebody else submitted, for one attempt.
func (o *owner) adopt(ctx context.Context, t *call.Target, args call.WireArgs, attempt uint16, plain bool) *submission {
	s := &submission{}
	s.Init(o.store, t, call.ArgsOf(call.Wired(args)))
	s.Attempt, s.Plain = attempt, plain
	s.Object.PromisedBy(s)
	o.watches.Bind(ctx, s)
	s.Told = o.node.Events.Take()
	o.enqueue(s)
	return s
}

// concluded takes in the outcome of an attempt.
func (a *adopter) concluded(ad *adoption, out objstore.Outcome) {
	if wait, giveBack := ad.policy.conclude(ad.handed.attempt, out.Err, rand.Float64()); giveBack {
		a.giveBack(ad, wait)
		return
	}
	if ad.deposit.plain && out.Blob != nil {
		if !a.d.group.Go(func(ctx context.Context) { a.record(ad, a.fetched(ctx, ad, out)) }) {
			a.giveBack(ad, 0)
		}
		return
	}
	a.record(ad, &out)
}

// fetched is a plain client's large result as a value, if it fits into a message.
func (a *adopter) fetched(ctx context.Context, ad *adoption, out objstore.Outcome) *objstore.Outcome {
	keep, _, _ := ad.deposit.args.Keep()
	ctx = member.NewContext(ctx, &member.Scope{Node: a.d.node})
	value, err := a.d.store.OpenBlob(ctx, *out.Blob)
	if room := a.d.node.Conn.MaxPayload() - plainRoom; err == nil && int64(len(value.Data)) > room {
		err = fmt.Errorf("the result has %d bytes, the server takes records of %d", len(value.Data), room)
	}
	if deleted := a.d.store.DeleteBlob(ctx, keep.ID, out.Blob.Blob); deleted != nil {
		a.d.node.Log.Debug("the blob of a result stays until its time is over", logs.Task(ad.trade.name), logs.Key(ad.key), zap.Error(deleted))
	}
	return &objstore.Outcome{Value: value, Err: err}
}

// ease notes that a task of a trade has its outcome; the adopter is locked.
func (a *adopter) ease(ad *adoption) {
	if !ad.over {
		ad.over = true
		ad.trade.held--
		a.wake()
	}
}

// record stores an outcome, unless somebody was faster, and then has the task removed from the stream.
func (a *adopter) record(ad *adoption, out *objstore.Outcome) {
	a.mu.Lock()
	a.ease(ad)
	a.mu.Unlock()
	_, archive := a.d.stores()
	if archive == nil {
		a.giveBack(ad, time.Second)
		return
	}
	var msg *bus.Msg
	if ad.deposit.plain {
		msg = archive.First(ad.key, nil, ad.policy.keep)
		fillPlainly(msg, out)
	} else {
		msg = archive.First(ad.key, recordOf(out), max(ad.policy.keep, time.Second))
	}
	blob := out.Blob
	a.d.publisher.Publish(msg, nil, func(err error, again bool) { a.recorded(ad, blob, err, again) })
}

// recorded takes in JetStream's word on a record.
func (a *adopter) recorded(ad *adoption, blob *objstore.StoredBlob, err error, again bool) {
	switch {
	case err == nil:
	case err == bus.ErrExists: //nolint:errorlint // as Publisher documents
		if blob != nil && !again { // it is the value of no record; of one that was sent twice, nobody knows
			keep, _, _ := ad.deposit.args.Keep()
			a.d.group.Go(func(ctx context.Context) { _ = a.d.store.DeleteBlob(ctx, keep.ID, blob.Blob) }) // else it goes when its time is over
		}
	default:
		a.d.node.Log.Warn("the outcome of a durable task was not recorded: it will run again", logs.Task(ad.trade.name), logs.Key(ad.key), zap.Error(err))
		if errorIsNoStream(err) {
			a.d.reopen()
		}
		a.giveBack(ad, time.Second)
		return
	}
	a.finish(ad)
}

// finish acknowledges a task whose outcome is recorded.
func (a *adopter) finish(ad *adoption) {
	a.d.deleteBlobs(ad.deposit.blobs())
	a.mu.Lock()
	a.ease(ad)
	_ = ad.delivery.Ack() // if it is lost the task is handed over again, and found to be over
	a.forget(ad)
	a.mu.Unlock()
}

// giveBack has a task handed over again.
func (a *adopter) giveBack(ad *adoption, after time.Duration) {
	a.mu.Lock()
	a.ease(ad)
	_ = ad.delivery.GiveBack(after) // if it is lost the task is handed over again a little later
	a.forget(ad)
	a.mu.Unlock()
}

// forget ends an adoption; the adopter is locked.
func (a *adopter) forget(ad *adoption) {
	if a.adoptions[ad.key] == ad {
		delete(a.adoptions, ad.key)
		a.left.Done()
	}
}
