package event

import "cmp"

// The states of an actor.
//
//	pending ─► alive ⇄ asleep (let go while idle) ─► dead
//	             └─► restarting ─► alive, in the next epoch
const (
	Pending    State = "pending"
	Alive      State = "alive"
	Asleep     State = "asleep"
	Restarting State = "restarting"
	Dead       State = "dead"
)

// The states of an object: only those that are large, or durable, are told of.
const (
	Stored State = "stored"
	Freed  State = "freed"
)

// The states of a node. One that is dead was not heard of, and another node has told so.
const (
	Joined   State = "joined"
	Draining State = "draining"
	Left     State = "left"
)

// Actor is what a node knows of an actor, or of one epoch of it.
type Actor struct {
	ID    string   `json:"id"`
	Epoch uint64   `json:"epoch"`
	Class string   `json:"class,omitempty"`
	State State    `json:"state,omitempty"`
	Owner string   `json:"owner,omitempty"` // the node that asked for it
	Node  string   `json:"node,omitempty"`  // where it lives
	Cause *Failure `json:"cause,omitempty"` // of its end

	Detached bool `json:"detached,omitempty"`

	Began Time `json:"began,omitempty"` // to live there
	Ended Time `json:"ended,omitempty"`

	Waiting int `json:"waiting,omitempty"` // calls in its mailbox, at the moment of an answer
	Running int `json:"running,omitempty"` // calls, likewise
}

func (a *Actor) key() key { return key{a.ID, a.Epoch} }

func (a *Actor) merge(u *Actor) {
	a.Class, a.Owner, a.Node = cmp.Or(u.Class, a.Class), cmp.Or(u.Owner, a.Owner), cmp.Or(u.Node, a.Node)
	a.Detached = a.Detached || u.Detached
	a.Waiting, a.Running = cmp.Or(u.Waiting, a.Waiting), cmp.Or(u.Running, a.Running)
	a.State, a.Cause = later(a.State, u.State), cmp.Or(u.Cause, a.Cause)
	a.Began, a.Ended = cmp.Or(u.Began, a.Began), cmp.Or(u.Ended, a.Ended)
}

// Object is what a node knows of an object.
type Object struct {
	ID    string `json:"id"`
	Owner string `json:"owner,omitempty"`
	State State  `json:"state,omitempty"`
	Size  int64  `json:"size,omitempty"` // in bytes

	Stored Time `json:"stored,omitempty"`
	Lost   Time `json:"lost,omitempty"` // the last time, if it was; it may have been computed again
	Ended  Time `json:"ended,omitempty"`

	// At the moment of an answer:
	Where   string   `json:"where,omitempty"`   // memory, bucket, uploading
	Holders []string `json:"holders,omitempty"` // other nodes that have refs of it
	Pins    int      `json:"pins,omitempty"`    // calls under way that have it as an argument
	Given   bool     `json:"given,omitempty"`   // its name was given to who is no node
}

func (o *Object) key() key { return key{o.ID, 0} }

func (o *Object) merge(u *Object) {
	o.Owner, o.State, o.Size = cmp.Or(u.Owner, o.Owner), later(o.State, u.State), cmp.Or(u.Size, o.Size)
	if u.Where != "" {
		o.Where, o.Holders, o.Pins, o.Given = u.Where, u.Holders, u.Pins, u.Given
	}
	o.Stored, o.Lost, o.Ended = cmp.Or(u.Stored, o.Stored), cmp.Or(u.Lost, o.Lost), cmp.Or(u.Ended, o.Ended)
}

// Node is what is known of a node.
type Node struct {
	ID        string             `json:"id"`
	Name      string             `json:"name,omitempty"`
	State     State              `json:"state,omitempty"`
	Version   string             `json:"version,omitempty"`
	Resources map[string]float64 `json:"resources,omitempty"`
	Labels    map[string]string  `json:"labels,omitempty"`
	Functions []string           `json:"functions,omitempty"`
	Classes   []string           `json:"classes,omitempty"`

	Joined   Time `json:"joined,omitempty"`
	Draining Time `json:"draining,omitempty"`
	Ended    Time `json:"ended,omitempty"` // it left, or was found dead

	// At the moment of an answer:
	Free      map[string]float64 `json:"free,omitempty"`
	Submitted int64              `json:"submitted,omitempty"` // tasks, since it started
	Ran       int64              `json:"ran,omitempty"`       // tasks, whoever submitted them
	Pending   int                `json:"pending,omitempty"`   // tasks that it submitted and that have no outcome
	Running   int                `json:"running,omitempty"`   // tasks, there
	Living    int                `json:"living,omitempty"`    // actors, there
	Kept      int                `json:"kept,omitempty"`      // objects, for others
}

func (n *Node) key() key { return key{n.ID, 0} }

func (n *Node) merge(u *Node) {
	n.Name, n.State, n.Version = cmp.Or(u.Name, n.Name), later(n.State, u.State), cmp.Or(u.Version, n.Version)
	if u.Joined != 0 { // it speaks of itself
		n.Resources, n.Labels, n.Functions, n.Classes = u.Resources, u.Labels, u.Functions, u.Classes
	}
	if u.Free != nil {
		n.Free, n.Submitted, n.Ran = u.Free, u.Submitted, u.Ran
		n.Pending, n.Running, n.Living, n.Kept = u.Pending, u.Running, u.Living, u.Kept
	}
	n.Joined, n.Draining, n.Ended = cmp.Or(u.Joined, n.Joined), cmp.Or(u.Draining, n.Draining), cmp.Or(u.Ended, n.Ended)
}

// Group is a placement group, as the node that made it says.
type Group struct {
	ID       string   `json:"id"`
	Owner    string   `json:"owner"`
	State    State    `json:"state"` // pending, placed
	Strategy string   `json:"strategy"`
	Bundles  []Bundle `json:"bundles"`
}

// Bundle is one of a group's.
type Bundle struct {
	Resources map[string]float64 `json:"resources"`
	Node      string             `json:"node,omitempty"`
}

// Placed is the state of a group all of whose bundles have a node.
const Placed State = "placed"
