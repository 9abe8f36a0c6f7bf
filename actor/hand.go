package actor

import (
	"context"
	"reflect"

	"manta/bus"
	"manta/internal/call"
	"manta/objstore"
)

// smallRoom is how many bytes of a result need no memory of their own.
const smallRoom = 64

// hand runs visits, one after the other, in memory that is used again. A goroutine has one.
type hand struct {
	work     call.Work
	method   *method
	instance reflect.Value
	room     [smallRoom]byte
}

func newHand() *hand {
	h := &hand{}
	h.work.Handler = h.handle
	return h
}

// handle is the handler of every visit.
func (h *hand) handle(ctx context.Context, values []bus.Value, plain bool, room []byte) (bus.Value, error) {
	return h.method.call(h.instance, ctx, values, plain, room)
}

// call calls the method of a visit. The value lies in the hand, until its next call, unless the caller is on this node.
func (h *hand) call(v *visit) (objstore.Outcome, *objstore.Arrival) {
	h.method, h.instance = v.method, v.cell.instance
	h.work.Function, h.work.Entry, h.work.Room, h.work.Arrival = v.method.name, &v.entry, nil, nil
	if v.local == nil {
		h.work.Room = h.room[:0]
	}
	store := objstore.StoreOf(v.cell.host.node)
	if v.entry.Told {
		v.tellStarted()
	}
	value, err := h.work.Run(v, store)
	if v.entry.Told {
		v.tellReturned(h.work.Fetched)
	}
	if err != nil {
		return objstore.Outcome{Err: err}, h.work.Arrival
	}
	return store.Seal(v, v.id(), value), h.work.Arrival
}

// rest lets go of what the last visit had.
func (h *hand) rest() {
	h.method, h.instance = nil, reflect.Value{}
	h.work = call.Work{Handler: h.work.Handler}
}
