package task

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/plain"
)

const (
	// seekFor is how long workers have to answer when no node serves a function.
	seekFor = time.Second
	// askWorkersEvery is how often a lane with a backlog has workers asked for, and pingWorkersEvery how often one that has tasks is asked
	// whether it is there.
	askWorkersEvery  = time.Second
	pingWorkersEvery = time.Second
	// strikesGone is after how many pings in a row that reach nobody what a worker has is lost.
	strikesGone = 3
	// workersBackFor is how long a worker has to come back that was just there, and all of them after this process's own connection was away: NATS
	// clients wait two seconds before they connect again, and are found a second later.
	workersBackFor = 5 * time.Second
	// mostWindow bounds what a worker can announce.
	mostWindow = 4096
	windowKey  = "window" // in the metadata of its endpoint
)

// The tokens of the subjects where an owner hears of workers.
const (
	workerToken     = "worker."
	workerTaskToken = workerToken + "task."
	workerPingToken = workerToken + "ping."
	workerInfoToken = workerToken + "info"
)

// workers is what an owner knows of workers that are no nodes. Its owner's lock guards it.
type workers struct {
	owner   *owner
	replies *bus.Subscription
	known   map[string]*worker
	errands map[uint64]*errand
	last    uint64 // number of an errand
	asked   moment // when workers were last asked for; 0: never
}

func startWorkers(o *owner) (*workers, error) {
	ws := &workers{owner: o, known: make(map[string]*worker), errands: make(map[uint64]*errand)}
	var err error
	ws.replies, err = o.node.Conn.Subscribe(o.node.Conn.Inbox(workerToken+">"), "", ws.hear)
	return ws, err
}

func (ws *workers) close() {
	_ = ws.replies.Unsubscribe() // its one error is that the connection is closed
}

// introduce tells a new lane of the workers that serve its function.
func (ws *workers) introduce(l *lane) {
	for _, w := range ws.known {
		if w.windows[l.function] > 0 && l.takesWorkers() {
			l.hire(w, ws.owner.now())
		}
	}
}

// wanted asks for workers, now and then, that could help with a backlog.
func (ws *workers) wanted(l *lane, now moment) {
	switch {
	case l.seeking != 0 && now-l.seeking >= seekFor:
		ws.owner.failUnserved(l)
	case l.takesWorkers() && (ws.asked == 0 || now-ws.asked >= askWorkersEvery):
		ws.ask(now)
	}
}

// seek asks for workers that serve what no node does. False: there cannot be any.
func (ws *workers) seek(l *lane, now moment) bool {
	if !l.takesWorkers() {
		return false
	}
	ws.ask(now)
	l.seeking = now
	l.refusals = max(l.refusals, 1) // nobody knocks meanwhile
	ws.owner.watch(l)
	return true
}

func (ws *workers) ask(now moment) {
	ws.asked = now
	ws.request("INFO", "", workerInfoToken)
}

// request asks all workers, or one, as NATS services are asked.
func (ws *workers) request(verb, name, replyToken string) {
	conn := ws.owner.node.Conn
	if err := conn.Publish(bus.ServiceSubject(verb, conn.WorkerService(), name), conn.Inbox(replyToken), nil); err != nil {
		ws.owner.node.Log.Debug("workers were not asked", zap.Error(err))
	}
}

// hear handles what workers answer.
func (ws *workers) hear(msg *bus.Msg) {
	token := bus.LastToken(msg.Subject)
	_, unserved := bus.Unserved(msg)
	switch o := ws.owner; msg.Subject {
	case o.node.Conn.Inbox(workerInfoToken):
		if unserved {
			ws.nobody()
		} else if err := ws.found(msg.Data); err != nil {
			o.node.Reject(msg, fmt.Errorf("%w: a worker does not say what it serves: %w", bus.ErrMalformed, err))
		}
	case o.node.Conn.Inbox(workerPingToken + token):
		ws.ponged(token, unserved)
	case o.node.Conn.Inbox(workerTaskToken + token):
		n, err := strconv.ParseUint(token, 10, 64)
		switch {
		case err != nil:
		case plain.Alive(msg):
			ws.underway(n)
		default:
			ws.answered(n, msg, unserved)
		}
	}
}

// nobody notes that there are no workers.
func (ws *workers) nobody() {
	o := ws.owner
	o.mu.Lock()
	defer o.unlock()
	for _, l := range o.lanes {
		if l.seeking != 0 {
			o.failUnserved(l)
		}
	}
}

// readWorker reads what a worker says of itself: its name, and the window of each function.
func readWorker(subjects bus.Subjects, data []byte) (name string, windows map[string]int, err error) {
	var info bus.ServiceInfo
	if err := json.Unmarshal(data, &info); err != nil {
		return "", nil, err
	}
	if err := bus.CheckName("a worker's id", info.ID); err != nil {
		return "", nil, err
	}
	windows = make(map[string]int)
	for _, e := range info.Endpoints {
		if worker, function, ok := subjects.ParseWorker(e.Subject); ok && worker == info.ID {
			window, _ := strconv.Atoi(e.Metadata[windowKey]) // 1 if it says none
			windows[function] = min(max(window, 1), mostWindow)
		}
	}
	return info.ID, windows, nil
}

// found takes in what a worker serves.
func (ws *workers) found(data []byte) error {
	o := ws.owner
	name, windows, err := readWorker(o.node.Conn.Subjects, data)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.unlock()
	w := ws.known[name]
	if w == nil {
		w = &worker{name: name}
		ws.known[name] = w
	}
	w.windows, w.absent = windows, 0
	for _, l := range o.lanes {
		if w.windows[l.function] == 0 {
			l.retire(w.id())
		} else if l.takesWorkers() {
			l.hire(w, o.now())
			o.watch(l)
		}
	}
	return nil
}

// look pings the workers that have tasks, and finds those that are lost.
func (ws *workers) look(now moment) {
	ws.lose(now)
	for _, w := range ws.known {
		if w.has > 0 && now-w.pinged >= pingWorkersEvery {
			w.pinged = now
			ws.request("PING", w.name, workerPingToken+w.name)
		}
		if w.has > 0 && now-w.heard >= silentFor || w.has == 0 && w.absent != 0 && now-w.absent >= workersBackFor {
			ws.dismiss(w) // the next one has another id
		}
	}
}

// ponged takes in that a worker is there, or that nobody is.
func (ws *workers) ponged(name string, unserved bool) {
	o := ws.owner
	o.mu.Lock()
	defer o.unlock()
	w := ws.known[name]
	if w == nil {
		return
	}
	if !unserved {
		w.heard, w.strikes = o.now(), 0
	} else if w.strikes++; w.strikes >= strikesGone && (o.reconnected == 0 || o.now()-o.reconnected >= workersBackFor) {
		ws.dismiss(w)
	}
}

// dismiss forgets a worker that is gone, and what it had is lost.
func (ws *workers) dismiss(w *worker) {
	o := ws.owner
	delete(ws.known, w.name)
	ws.forget(w)
	for _, l := range o.lanes {
		if p := l.peers[w.id()]; p != nil {
			l.remove(p)
			o.pump(l)
		}
	}
}
