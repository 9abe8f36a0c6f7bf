package task

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/logs"
	"manta/internal/member"
)

// What reaches every node that takes durable tasks: only the one that has the task does something.
const (
	endFrame = 'e' // the task has its outcome: stop
	whyFrame = 'y' // what keeps it? Answered in words
)

const (
	// endedFor is how long a node remembers that a task was ended: it may just be on its way here.
	endedFor = 10 * time.Second
	// endedKept bounds how many it remembers: beyond that a task may run in vain.
	endedKept = 1 << 16
	// recordsWaiting is how many outcomes may wait to be recorded before a node takes no more tasks.
	recordsWaiting = 4096
	// shortHere is how many short tasks a node has at least, if there are so many: the way to JetStream and back is longer than most of them, and what
	// waits here goes to any node with room.
	shortHere = 512
	// looksHere bounds how many records are looked for at a time.
	looksHere = 32
	// policiesKept bounds the policies that are remembered in decoded form.
	policiesKept = 1024
)

// adopter takes durable tasks on, as an owner would who had submitted them here: so they go through the lanes and slots of all tasks, run here if
// there is room, else wherever there is, and stand in line with the rest. What this node has of them is bounded by the room that it has.
type adopter struct {
	d       *durables
	owner   *owner
	served  *Registry
	created *bus.Subscription // of consumers
	asked   *bus.Subscription
	unhear  func() // ends what OnReconnect began
	woken   chan struct{}
	looking chan struct{} // tokens of those who look for records
	left    member.Tally  // of adoptions

	mu        sync.Mutex
	stopped   bool
	trades    map[string]*trade
	adoptions map[string]*adoption
	ended     map[string]time.Time // keys of tasks that were ended
}

// trade is what this node has to do with the durable tasks of one function.
type trade struct {
	function function
	name     string
	pull     *bus.Fetch
	held     int // without an outcome
	lanes    map[*lane]struct{}
	policies map[string]*adoptedPolicy // as they are stored
}

// adoptedPolicy is a policy in decoded form, with the target that tasks with it are made for.
type adoptedPolicy struct {
	policy
	target *call.Target
}

func startAdopter(d *durables, o *owner, served *Registry) (*adopter, error) {
	a := &adopter{
		d: d, owner: o, served: served, woken: make(chan struct{}, 1), looking: make(chan struct{}, looksHere),
		trades: make(map[string]*trade), adoptions: make(map[string]*adoption), ended: make(map[string]time.Time),
	}
	conn := d.node.Conn
	var err error
	if a.asked, err = conn.Subscribe(conn.Holders(), "", a.hear); err != nil {
		return nil, err
	}
	if a.created, err = conn.OnConsumer(conn.DurableQueue(), a.consumerCreated); err != nil {
		return nil, err
	}
	a.unhear = conn.OnReconnect(a.reconnected)
	d.group.Go(a.serve)
	return a, nil
}

// start makes consumers for the functions that say themselves that they are durable, and begins to take on what there is.
func (a *adopter) start(ctx context.Context) error {
	for _, name := range a.served.names() {
		if f, _ := a.served.lookup(name); f.target.Options.Durable {
			if err := a.d.share(ctx, name); err != nil {
				return err
			}
		}
	}
	a.d.group.Go(a.takeUpAgain)
	return nil
}

// takeUp begins to take tasks of every function that has a consumer and is served here.
func (a *adopter) takeUp(ctx context.Context) error {
	there, err := a.d.find(ctx)
	if !there || err != nil {
		return err
	}
	queue, _ := a.d.stores()
	if queue == nil {
		return nil
	}
	names, err := queue.Consumers(ctx)
	for _, name := range names {
		a.begin(queue, name)
	}
	return err
}

// begin takes tasks of a function from here on, if it is served here.
func (a *adopter) begin(queue *bus.Queue, name string) {
	f, served := a.served.lookup(name)
	if !served {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		return
	}
	if t := a.trades[name]; t != nil { // it was made again
		t.pull.Reset()
		a.wake()
		return
	}
	t := &trade{function: f, name: name, lanes: make(map[*lane]struct{}), policies: make(map[string]*adoptedPolicy)}
	var err error
	if t.pull, err = queue.Pull(name, func(d bus.Delivery) { a.take(t, d) }, a.wake); err != nil {
		a.d.node.Log.Warn("durable tasks are not taken", logs.Task(name), zap.Error(err))
		return
	}
	a.trades[name] = t
	a.wake()
}

// consumerCreated hears that a function has its first durable task.
func (a *adopter) consumerCreated(name string) {
	if _, served := a.served.lookup(name); served {
		a.d.group.Go(a.takeUpAgain)
	}
}

// reconnected asks anew: JetStream may have forgotten what was asked for.
func (a *adopter) reconnected() {
	a.mu.Lock()
	for _, t := range a.trades {
		t.pull.Reset()
	}
	a.mu.Unlock()
	a.wake()
	a.d.group.Go(a.takeUpAgain)
}

// takeUpAgain is takeUp until it succeeds.
func (a *adopter) takeUpAgain(ctx context.Context) {
	for {
		trying, cancel := context.WithTimeout(ctx, lookAgain)
		err := a.takeUp(trying)
		cancel()
		if err == nil || ctx.Err() != nil {
			return
		}
		a.d.node.Log.Warn("durable tasks have to wait for another node, or until JetStream answers", zap.Error(err))
		member.Pause(ctx, time.Second)
	}
}

func (a *adopter) wake() {
	select {
	case a.woken <- struct{}{}:
	default:
	}
}

// serve asks for as many tasks as there is room for, and tells JetStream what is still here.
func (a *adopter) serve(ctx context.Context) {
	tick := time.NewTicker(bus.ExtendEvery / 4)
	defer tick.Stop()
	for {
		clock := tick.C
		if a.idle() {
			clock = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-a.woken:
		case now := <-clock:
			a.extend(now)
		}
		a.ask()
	}
}

// idle says whether there are no durable tasks that concern this node.
func (a *adopter) idle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.trades)+len(a.adoptions)+len(a.ended) == 0
}

// ask asks for tasks.
func (a *adopter) ask() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped || a.d.publisher.Left() > recordsWaiting {
		return
	}
	for _, t := range a.trades {
		asked := t.pull.Asked()
		if room := a.room(t); room > asked && room-asked >= asked { // a few at a time would cost a request each
			t.pull.Ask(room - asked)
		}
	}
}

// room is how many more of a function's tasks this node has room for. Short ones are taken ahead. Of others it is what the lanes that have some may send
// here, nothing while one of them waits, and one where nobody knows: with that it stands in line.
func (a *adopter) room(t *trade) int {
	if !a.d.node.Capacity.Could(t.function.target.Options.Need) {
		return 0
	}
	if len(t.lanes) == 0 {
		if t.held > 0 {
			return 0
		}
		return max(1, a.d.node.Capacity.Slots(t.function.target.Options.Need, aheadLimit))
	}
	here := a.owner.roomHere(t.lanes)
	switch {
	case here.short:
		return max(2*here.window, shortHere) - t.held
	case t.held == 0:
		return max(1, here.room)
	case here.waits:
		return 0
	}
	return here.room
}

// lanesHere is what a node has of lanes.
type lanesHere struct {
	window int  // how many of their tasks it takes in all
	room   int  // how many more
	short  bool // they are short, and travel together
	waits  bool // one of the lanes has some that are not under way
}

func (o *owner) roomHere(lanes map[*lane]struct{}) (here lanesHere) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for l := range lanes {
		here.waits = here.waits || !l.backlog.empty()
		if p := l.peers[o.node.ID]; p != nil {
			here.window += p.window
			here.room += max(0, p.room())
			here.short = here.short || p.window > aloneWindow
		}
	}
	return here
}

// extend keeps what is here from being handed to somebody else.
func (a *adopter) extend(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, ad := range a.adoptions {
		if now.Sub(ad.extended) >= bus.ExtendEvery {
			ad.extended = now
			_ = ad.delivery.Extend() // without it the task may run twice, as when this node dies
		}
	}
	for key, at := range a.ended {
		if now.Sub(at) > endedFor {
			delete(a.ended, key)
		}
	}
}

// maxKey bounds the names of durable tasks: JetStream takes no longer subjects by default.
const maxKey = 4 << 10

// readHolderWord reads what reaches every node that takes durable tasks: a kind, and behind it the task's name.
func readHolderWord(frame []byte) (kind byte, key string, err error) {
	r, kind := bus.ReadFrame(frame)
	if r.Err() == nil && (kind != endFrame && kind != whyFrame || r.Left() > maxKey) {
		r.Fail("no word on a durable task")
	}
	key = string(r.Raw(r.Left()))
	if r.Err() == nil && strings.Count(key, ".") != 1 {
		r.Fail("no name of a durable task")
	}
	return kind, key, r.Err()
}

// hear takes in what reaches every node that takes durable tasks.
func (a *adopter) hear(msg *bus.Msg) {
	kind, key, err := readHolderWord(msg.Data)
	if err == nil && kind == whyFrame && !a.d.node.Conn.Answerable(msg.Reply) {
		err = bus.ErrNoReply
	}
	if err != nil {
		a.d.node.Reject(msg, err)
		return
	}
	a.mu.Lock()
	ad := a.adoptions[key]
	if kind == endFrame && len(a.ended) < endedKept {
		a.ended[key] = time.Now()
		a.wake() // serve forgets it in time
	}
	var task *submission
	if ad != nil {
		task = ad.task
	}
	a.mu.Unlock()
	switch {
	case ad == nil:
	case kind == endFrame && task != nil:
		task.Cancel()
	case kind == whyFrame:
		words := fmt.Sprintf("durable, at node %s, attempt %d: ", a.d.node.ID, ad.handed.attempt)
		if task == nil {
			words += "about to run"
		} else if why := a.owner.reason(task.Number()); why != "" {
			words += why
		} else {
			words += "its outcome is being recorded"
		}
		if err := a.d.node.Conn.Publish(msg.Reply, "", []byte(words)); err != nil {
			a.d.node.Log.Debug("an answer to why was not sent", zap.Error(err))
		}
	}
}

// retire takes no more tasks. What JetStream has handed over already is taken.
func (a *adopter) retire(ctx context.Context) error {
	a.mu.Lock()
	var pulls []*bus.Fetch
	for _, t := range a.trades {
		pulls = append(pulls, t.pull)
	}
	clear(a.trades)
	a.mu.Unlock()
	for _, p := range pulls {
		if err := p.Drain(ctx); err != nil {
			return err
		}
	}
	a.mu.Lock()
	a.stopped = true
	a.mu.Unlock()
	return nil
}

// drain waits until what was taken is over. The host, which drains after it, flushes the last words.
func (a *adopter) drain(ctx context.Context) error {
	if err := a.left.Await(ctx); err != nil {
		return fmt.Errorf("%d durable tasks are not over: %w", a.left.Left(), err)
	}
	return nil
}

// close takes no more. What is here is given back as its owner ends it.
func (a *adopter) close() {
	a.unhear()
	for _, sub := range []*bus.Subscription{a.created, a.asked} {
		_ = sub.Unsubscribe() // its one error is that the connection is closed
	}
	a.mu.Lock()
	a.stopped = true
	for _, t := range a.trades {
		t.pull.Close()
	}
	a.mu.Unlock()
}
