package task

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/plain"
	"manta/objstore"
)

// plainRoom is what the headers of a plain client's record may take of a message.
const plainRoom = 4 << 10

// plainDeposit reads a durable task that a plain client has stored: the payload is the argument, as in a request, and the function's own
// options hold.
func plainDeposit(f function, key string, msg *bus.Msg) (d deposit, p policy, err error) {
	d.plain = true
	if p, err = policyOf(&f.target.Options); err != nil {
		return d, p, err
	}
	if f.target.Options.KeepFor == 0 {
		p.keep = keepFor
	}
	d.policy = append([]byte("plain "), p.appendTo(nil)...)
	d.args = call.WireArgs{}.AppendKeep(call.Keep{ID: idOf(key), For: p.keep}).AppendTrace(call.TraceIn(msg))
	if plain.Format(msg) != bus.JSON {
		return d, p, fmt.Errorf("%w: a durable task of a plain client takes JSON", ErrArgument)
	}
	values, err := plain.Args("function", len(f.args), msg)
	if err != nil {
		return d, p, err
	}
	for _, v := range values {
		d.args = d.args.AppendArg(call.WireArg{Value: v})
	}
	return d, p, nil
}

// submitPlainly stores a task as a plain client does, under an id of this node's: the payload is the argument in JSON.
func (d *durables) submitPlainly(ctx context.Context, t *call.Target, payload []byte) *objstore.Object {
	o := d.store.PromiseDurable()
	p := &pending{id: o.ID(), target: t, plainly: bus.NewMsg("", payload)}
	call.TraceOf(ctx).Put(p.plainly)
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return objstore.FailedObject(fmt.Errorf("%s: %w", t.Name, bus.ErrClosed))
	}
	d.pending[p.id] = p
	d.underway.Add()
	d.mu.Unlock()
	d.store.Expect(o)
	d.deposit(p)
	return o
}

// idOf is the id of a durable task whose key is not made of one: equal for equal keys.
func idOf(key string) objstore.ID {
	if id, err := objstore.ParseID(strings.Replace(key, ".", "", 1)); err == nil && keyOf(id) == key {
		return id
	}
	sum := fnv.New128a()
	_, _ = sum.Write([]byte(key)) // never fails
	id := objstore.ID(sum.Sum(nil))
	id[8] |= 0x80 // durable
	return id
}

// errorIsNoStream says whether a record could not be stored because its bucket is gone.
func errorIsNoStream(err error) bool { return errors.Is(err, bus.ErrNoStream) }
