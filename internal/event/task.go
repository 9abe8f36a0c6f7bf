package event

import "cmp"

// State is what has become of a task, an actor, an object or a node.
type State string

// The states of a task's attempt.
//
//	waiting ─► queued ⇄ sent ─► running ─► finished, failed
//	   └─────────┴────────┴────────┴─────► cancelled; lost: its node died, and the next attempt follows
const (
	Waiting   State = "waiting" // for arguments
	Queued    State = "queued"  // at its owner
	Sent      State = "sent"    // to a node, where it may wait for its turn
	Running   State = "running"
	Lost      State = "lost"
	Cancelled State = "cancelled"
	Failed    State = "failed"
	Finished  State = "finished"
)

// rank orders the states in which one thing can be after another.
var rank = map[State]int{
	Waiting: 1, Queued: 2, Sent: 3, Running: 4, Lost: 5, Cancelled: 6, Failed: 7, Finished: 8,
	Pending: 1, Alive: 2, Asleep: 3, Restarting: 4, Dead: 9,
	Stored: 2, Freed: 9,
	Joined: 1, Draining: 2, Left: 9,
}

// later returns the state that comes after the other.
func later(a, b State) State {
	if rank[b] > rank[a] {
		return b
	}
	return a
}

// Over says whether nothing follows a state.
func (s State) Over() bool { return rank[s] > rank[Lost] }

// Failure is why something failed.
type Failure struct {
	Code    string `json:"code,omitempty"` // of the closed set, if it has one
	Message string `json:"message"`
}

// mostWords bounds the message of a failure in bytes.
const mostWords = 1024

// Task is what a node knows of an attempt of a task, or of a call of an actor's method.
type Task struct {
	ID      string   `json:"id"` // of its result
	Attempt int      `json:"attempt"`
	Func    string   `json:"func,omitempty"`  // or the method, after its class and a dot
	Actor   string   `json:"actor,omitempty"` // whose method is called
	State   State    `json:"state,omitempty"`
	Owner   string   `json:"owner,omitempty"`  // the node that submitted it
	Parent  string   `json:"parent,omitempty"` // the task that submitted it
	Node    string   `json:"node,omitempty"`   // where it was sent, or runs
	Durable bool     `json:"durable,omitempty"`
	Error   *Failure `json:"error,omitempty"`
	Reason  string   `json:"reason,omitempty"` // why it has not begun, at the moment of an answer

	Submitted Time `json:"submitted,omitempty"`
	Ready     Time `json:"ready,omitempty"` // its arguments have values
	Sent      Time `json:"sent,omitempty"`
	Arrived   Time `json:"arrived,omitempty"` // at its node
	Started   Time `json:"started,omitempty"` // it has its slot
	Fetched   Time `json:"fetched,omitempty"` // large arguments are there
	Returned  Time `json:"returned,omitempty"`
	Stored    Time `json:"stored,omitempty"` // a large result is with JetStream
	Ended     Time `json:"ended,omitempty"`  // its owner has the outcome
}

func (t *Task) key() key { return key{t.ID, uint64(t.Attempt)} }

func (t *Task) merge(u *Task) {
	t.Func, t.Actor, t.Owner, t.Parent = cmp.Or(u.Func, t.Func), cmp.Or(u.Actor, t.Actor), cmp.Or(u.Owner, t.Owner), cmp.Or(u.Parent, t.Parent)
	if u.Started != 0 || t.Started == 0 { // who runs it knows better than who sent it
		t.Node = cmp.Or(u.Node, t.Node)
	}
	t.State = later(t.State, u.State)
	t.Durable = t.Durable || u.Durable
	t.Error, t.Reason = cmp.Or(u.Error, t.Error), cmp.Or(u.Reason, t.Reason)
	t.Submitted, t.Ready, t.Sent = cmp.Or(u.Submitted, t.Submitted), cmp.Or(u.Ready, t.Ready), cmp.Or(u.Sent, t.Sent)
	t.Arrived, t.Started, t.Fetched = cmp.Or(u.Arrived, t.Arrived), cmp.Or(u.Started, t.Started), cmp.Or(u.Fetched, t.Fetched)
	t.Returned, t.Stored, t.Ended = cmp.Or(u.Returned, t.Returned), cmp.Or(u.Stored, t.Stored), cmp.Or(u.Ended, t.Ended)
}
