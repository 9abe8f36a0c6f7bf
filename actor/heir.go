package actor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/logs"
	"manta/internal/member"
	"manta/objstore"
)

const (
	// inheritAgain is the pause before what could not be taken over is tried again.
	inheritAgain = 250 * time.Millisecond
	// inheritTimeout bounds the takeover of one node's actors.
	inheritTimeout = 30 * time.Second
	// remembered is how long a node that is gone is remembered where it is another's to see to: that one may die too, before it is done.
	remembered = time.Minute
	// heirsPatience is how long a host may take to answer an heir, which includes that the bucket may have no leader for a moment. The record tells of one
	// that has not answered.
	heirsPatience = 10 * time.Second
	// inheriting is how many actors are taken over at a time, and for how many a host is asked.
	inheriting = 32
)

// errLeaving says that a node which said goodbye still has its lease, for a moment.
var errLeaving = errors.New("it has its lease still")

// heir takes over the actors of nodes that are gone, and has those made again that are to be. Of the nodes that are there one is a gone node's
// heir; the others remember it for the case that the heir dies too. Whatever two of them do at once, each record is replaced by one.
type heir struct {
	engine  *Engine
	group   *member.Group
	stirred chan struct{} // holds one: there is something to do
	asking  turns         // for a host

	mu       sync.Mutex
	gone     map[member.ID]time.Time // since when
	remaking map[string]bool         // by id
	handing  member.Tally            // those
}

func startHeir(ctx context.Context, e *Engine) *heir {
	h := &heir{engine: e, group: member.NewGroup(ctx), stirred: make(chan struct{}, 1), asking: make(turns, inheriting), gone: make(map[member.ID]time.Time), remaking: make(map[string]bool)}
	h.group.Go(h.serve)
	e.node.Members.Watch(member.Watcher{Joined: func(member.Info) {}, Left: h.left})
	return h
}

func (h *heir) left(id member.ID) {
	if id == h.engine.node.ID {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone[id] = time.Now()
	select {
	case h.stirred <- struct{}{}:
	default:
	}
}

// lookBack finds the nodes that were gone before this one came: there may have been nobody who could have taken their actors over.
func (h *heir) lookBack(ctx context.Context) {
	node := h.engine.node
	self := func(info member.Info) bool { return info.ID == node.ID }
	if node.Members.Await(ctx, func(all []member.Info) bool { return slices.ContainsFunc(all, self) }) != nil {
		return
	}
	for h.lookForLeftovers(ctx) != nil && ctx.Err() == nil {
		member.Pause(ctx, inheritAgain)
	}
}

// lookForLeftovers finds the nodes that are gone, and that records may name still.
func (h *heir) lookForLeftovers(ctx context.Context) error {
	hosts, err := h.engine.directory.hosts(ctx)
	for _, id := range hosts {
		if err == nil && !h.engine.node.Members.Alive(id) {
			h.left(id)
		}
	}
	return err
}

func (h *heir) close() {
	h.group.Stop(bus.ErrClosed)
	h.group.Wait()
}

// serve takes over what there is, until ctx ends.
func (h *heir) serve(ctx context.Context) {
	for {
		again := h.inheritAll(ctx)
		var retry <-chan time.Time
		if again {
			retry = time.After(inheritAgain)
		}
		select {
		case <-h.stirred:
		case <-retry:
		case <-ctx.Done():
			return
		}
	}
}

// inheritAll takes over from every node of which this one is the heir, and says whether some of it has to be tried again. One of them may have been
// the heir of others for longer than those are remembered.
func (h *heir) inheritAll(ctx context.Context) (again bool) {
	inherited := false
	for _, id := range h.departed() {
		if err := h.inherit(ctx, id); err != nil {
			if ctx.Err() == nil && !errors.Is(err, errLeaving) {
				h.engine.node.Log.Warn("actors of a node that is gone are not taken over yet", logs.Peer(id), zap.Error(err))
			}
			again = true
			continue
		}
		h.forget(id)
		inherited = true
	}
	if inherited && h.lookForLeftovers(ctx) != nil {
		again = true
	}
	return again
}

// departed returns the nodes that are gone of which this one is the heir, and forgets others that are gone for long.
func (h *heir) departed() (ids []member.ID) {
	h.mu.Lock()
	gone := maps.Clone(h.gone)
	h.mu.Unlock()
	for id, since := range gone { // not under mu: the table of nodes holds its own while it tells of who left
		switch heir, _ := h.engine.node.Members.HeirOf(id); {
		case heir == h.engine.node.ID:
			ids = append(ids, id)
		case time.Since(since) > remembered:
			h.forget(id)
		}
	}
	return ids
}

func (h *heir) forget(gone member.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.gone, gone)
}

// inherit takes over the actors of one node that is gone.
func (h *heir) inherit(ctx context.Context, gone member.ID) error {
	ctx, cancel := context.WithTimeout(ctx, inheritTimeout)
	defer cancel()
	node := h.engine.node
	if node.Members.Alive(gone) {
		return nil
	}
	if there, err := node.Members.There(ctx, gone); there || err != nil {
		return cmp.Or(err, errLeaving)
	}
	if !node.Holds() {
		return errors.New("this node's own lease has ended")
	}
	ids, err := h.engine.directory.residents(ctx, gone)
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	room := make(chan struct{}, inheriting)
	failures := make([]error, len(ids))
	for i, id := range ids {
		room <- struct{}{}
		running.Go(func() {
			failures[i] = h.inheritActor(ctx, gone, id)
			<-room
		})
	}
	running.Wait()
	return errors.Join(failures...)
}

// inheritActor takes one actor over, or writes that it is dead. If somebody else changes the record meanwhile, it looks again.
func (h *heir) inheritActor(ctx context.Context, gone member.ID, id string) error {
	d := h.engine.directory
	for {
		rec, err := d.look(ctx, id)
		if errors.Is(err, errNoRecord) { // nobody could make it again
			h.engine.node.Log.Warn("an actor of a node that is gone is lost", zap.Error(err))
			return d.leave(ctx, gone, id)
		}
		if err != nil {
			return err
		}
		if rec.State == recordRestarting && rec.Node == h.engine.node.ID { // taken over, but the answer was lost
			h.remake(id, rec, 0)
		}
		if rec.ended() || rec.Node != gone {
			return d.leave(ctx, gone, id)
		}
		pause, cause, err := h.judge(ctx, &rec, gone)
		switch {
		case err != nil:
			return err
		case cause != "":
			err = d.end(ctx, id, rec, cause)
		default:
			rec.State, rec.Node = recordRestarting, h.engine.node.ID
			if rec, err = d.enter(ctx, id, rec, rec.revision); err == nil {
				h.remake(id, rec, pause)
				err = d.leave(ctx, gone, id)
			}
		}
		if !errors.Is(err, bus.ErrChanged) {
			return err
		}
	}
}

// judge says whether an actor whose node is gone is made again, after what pause, or why not.
func (h *heir) judge(ctx context.Context, rec *record, gone member.ID) (pause time.Duration, cause string, err error) {
	orphaned, err := rec.orphaned(ctx, h.engine.node.Members)
	if err != nil {
		return 0, "", err
	}
	lost := fmt.Sprintf("its node %s is gone", gone)
	switch {
	case rec.Limit == 0:
		return 0, lost, nil
	case orphaned:
		return 0, fmt.Sprintf("%s, and its creator %s too", lost, rec.Birth.Owner()), nil
	case rec.State == recordRestarting: // its heir is gone, it had no node
		return 0, "", nil
	}
	pause, again := rec.lose(time.Now())
	if !again {
		return 0, fmt.Sprintf("%s, and it has been restarted %d times", lost, rec.Restarts), nil
	}
	return pause, "", nil
}

// remake has an actor made again where there is room, after a pause.
func (h *heir) remake(id string, rec record, pause time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.remaking[id] {
		return
	}
	h.handing.Add()
	started := h.group.Go(func(ctx context.Context) {
		defer h.handing.Done()
		member.Pause(ctx, pause)
		if err := h.place(ctx, id, rec); err != nil && ctx.Err() == nil {
			h.engine.node.Log.Warn("an actor is not made again", logs.Actor(id), zap.Error(err))
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.remaking, id)
	})
	if h.remaking[id] = started; !started {
		h.handing.Done()
	}
}

// drain waits until the actors that this node has taken over, or handed over, live elsewhere.
func (h *heir) drain(ctx context.Context) error {
	if err := h.handing.Await(ctx); err != nil {
		return fmt.Errorf("%d actors wait for room on another node: %w", h.handing.Left(), err)
	}
	return nil
}

// place asks for the actor as its creator once did, until a node has it or nobody wants it any more.
func (h *heir) place(ctx context.Context, id string, rec record) error {
	p := placing{id: id, birth: rec.Birth}
	for wait := createFirst; ctx.Err() == nil; wait = min(2*wait, createLast) {
		done, err := h.try(ctx, &p)
		if done {
			return err
		}
		member.Pause(ctx, wait)
	}
	return nil
}

// placing is an actor for which a host is sought.
type placing struct {
	id      string
	birth   objstore.ID
	frame   []byte    // with which it is asked for; nil: not read yet
	refused member.ID // who has said that it has no room
}

// try asks once, and returns true if the actor has a host, or needs none any more. If it is not done the bucket may have no leader for a moment.
func (h *heir) try(ctx context.Context, p *placing) (done bool, err error) {
	end, err := h.asking.take(ctx) // whoever has a turn there does not keep it
	if err != nil {
		return false, err
	}
	defer end()
	d := h.engine.directory
	now, err := d.look(ctx, p.id)
	if err == nil && now.State == recordPending && now.Node == p.refused { // it wrote that before it found that it has none
		now.State, now.Node = recordRestarting, h.engine.node.ID
		now, err = d.enter(ctx, p.id, now, now.revision)
	}
	if err != nil {
		return false, err
	}
	if now.State != recordRestarting || now.Birth != p.birth {
		return true, nil
	}
	if p.frame == nil {
		if p.frame, err = d.start(ctx, p.id); errors.Is(err, bus.ErrNotFound) {
			return true, errors.Join(err, d.end(ctx, p.id, now, "how it was asked for is lost"))
		}
		if err != nil {
			return false, err
		}
	}
	done, p.refused, err = h.ask(ctx, p.id, now, p.frame)
	return done, err
}

// ask asks once. If it is not done there is no room, at the node that says so, or nobody answers.
func (h *heir) ask(ctx context.Context, id string, rec record, frame []byte) (done bool, host member.ID, err error) {
	e := h.engine
	again, err := remade(frame, life{Detached: rec.Detached, Revision: rec.revision})
	if err != nil {
		return true, host, errors.Join(err, e.directory.end(ctx, id, rec, err.Error()))
	}
	p, err := e.ask(ctx, rec.Class, again, heirsPatience)
	switch {
	case err != nil:
		return false, host, nil
	case p.Status == call.Busy, p.Status == call.Moved:
		return false, p.Host, nil
	case p.Status != call.Accepted:
		return true, p.Host, e.directory.end(ctx, id, rec, p.Outcome.Err.Error())
	case p.Host != e.node.ID:
		return true, p.Host, e.directory.leave(ctx, e.node.ID, id)
	}
	return true, p.Host, nil
}

// remade returns a request for an actor with another life.
func remade(frame []byte, l life) ([]byte, error) {
	q, err := call.ReadRequest(frame)
	if err != nil {
		return nil, err
	}
	args, err := q.Args.List()
	if err == nil && len(args) != argCount {
		err = fmt.Errorf("%w: how the actor was asked for has %d arguments: want %d", bus.ErrMalformed, len(args), argCount)
	}
	if err != nil {
		return nil, err
	}
	value, err := bus.Encode(l)
	if err != nil {
		return nil, err
	}
	args[argLife] = call.WireArg{Value: value}
	q.Args = nil
	for _, a := range args {
		q.Args = q.Args.AppendArg(a)
	}
	return q.AppendTo(nil), nil
}
