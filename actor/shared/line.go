package shared

import (
	"context"
	"slices"
	"sync"

	"manta/internal/member"
	"manta/objstore"
)

// ticket names a call that may wait, and what it was given: its process, and a number there.
type ticket = objstore.ID

// waiter is a call that may have to wait.
type waiter struct {
	ticket  ticket
	need    int // items, room or permits
	items   []item
	verdict verdict
	done    chan struct{} // closed when there is a verdict
}

func newWaiter(t ticket, need int) *waiter {
	return &waiter{ticket: t, need: need, done: make(chan struct{})}
}

func (w *waiter) end(v verdict) {
	w.verdict = v
	close(w.done)
}

// await waits for a verdict, or for the end of the actor, whose ctx this is; withdraw undoes what the ticket was for.
func (w *waiter) await(ctx context.Context, withdraw func()) (verdict, error) {
	select {
	case <-w.done:
		return w.verdict, nil
	case <-ctx.Done():
		withdraw()
		return withdrawn, context.Cause(ctx)
	}
}

// line is those who wait for one thing, the first to come first.
type line []*waiter

// first returns who is next, nil if nobody waits.
func (l line) first() *waiter {
	if len(l) == 0 {
		return nil
	}
	return l[0]
}

// serve ends the wait of the first.
func (l *line) serve(v verdict) {
	(*l)[0].end(v)
	(*l)[0] = nil
	*l = (*l)[1:]
}

// dismiss ends the wait of those who are meant, and says whether there were any.
func (l *line) dismiss(v verdict, meant func(*waiter) bool) bool {
	before := len(*l)
	*l = slices.DeleteFunc(*l, func(w *waiter) bool {
		if !meant(w) {
			return false
		}
		w.end(v)
		return true
	})
	return len(*l) < before
}

func everybody(*waiter) bool { return true }

func has(t ticket) func(*waiter) bool { return func(w *waiter) bool { return w.ticket == t } }

func of(node member.ID) func(*waiter) bool {
	return func(w *waiter) bool { return w.ticket.Owner() == node }
}

// mostWithdrawn bounds how many tickets are remembered that were withdrawn before their call was here. It comes within microseconds
// as a rule, and the ticket of one that has its answer stays until others take its place.
const mostWithdrawn = 1024

// attendance says whose calls are heard.
type attendance struct {
	gone      map[member.ID]bool // processes
	withdrawn []ticket
	leaving   bool // the actor's own node drains: nobody waits any more
}

// admits says whether a call is to be heard.
func (a *attendance) admits(t ticket) bool {
	if i := slices.Index(a.withdrawn, t); i >= 0 {
		a.withdrawn = slices.Delete(a.withdrawn, i, i+1)
		return false
	}
	return !a.gone[t.Owner()]
}

// withdraw notes the ticket of a call that is not here.
func (a *attendance) withdraw(t ticket) {
	if len(a.withdrawn) == mostWithdrawn {
		a.withdrawn = slices.Delete(a.withdrawn, 0, 1)
	}
	a.withdrawn = append(a.withdrawn, t)
}

func (a *attendance) left(node member.ID) {
	if a.gone == nil {
		a.gone = make(map[member.ID]bool)
	}
	a.gone[node] = true
}

func (a *attendance) joined(node member.ID) { delete(a.gone, node) }

// audience is what hears of processes that come and go.
type audience interface {
	joined(member.ID)
	left(member.ID)
	leave() // the actor's own node drains
}

// attend tells a of the processes of the cluster for as long as the actor lives, whose ctx this is. mu guards a.
func attend(ctx context.Context, mu *sync.Mutex, a audience) error {
	scope, err := member.Unconfined(ctx)
	if err != nil {
		return err
	}
	self := scope.Node.ID
	stop := scope.Node.Members.Watch(member.Watcher{
		Joined: func(info member.Info) {
			mu.Lock()
			defer mu.Unlock()
			a.joined(info.ID)
			if info.ID == self && info.Draining {
				a.leave()
			}
		},
		Left: func(id member.ID) {
			if id == self { // the others think so; what lives here does live
				return
			}
			mu.Lock()
			defer mu.Unlock()
			a.left(id)
		},
	})
	context.AfterFunc(ctx, stop)
	return nil
}
