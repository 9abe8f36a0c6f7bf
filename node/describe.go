package node

import "time"

// What lists return. Times are zero, and texts empty, if they are not known or have not come yet; ids of nodes come with their names.

// Failure is why something failed.
type Failure struct {
	Code    string `json:"code,omitempty"` // of the closed set that PROTOCOL.md lists, or that the program has registered
	Message string `json:"message"`        // at most 1 KiB
}

// TaskState describes a task, or a call of an actor's method.
type TaskState struct {
	ID      string `json:"id"` // of its result
	Func    string `json:"func"`
	State   string `json:"state"`            // waiting, queued, sent, running, finished, failed, cancelled; of an attempt also lost
	Reason  string `json:"reason,omitempty"` // why it has not begun, in words
	Attempt int    `json:"attempt"`          // the latest
	Durable bool   `json:"durable,omitempty"`
	Actor   string `json:"actor,omitempty"` // whose method it is

	Owner     string `json:"owner,omitempty"` // the node that submitted it
	OwnerName string `json:"owner_name,omitempty"`
	Node      string `json:"node,omitempty"` // where it runs, or is sent
	NodeName  string `json:"node_name,omitempty"`
	Parent    string `json:"parent,omitempty"` // the task that submitted it

	Submitted time.Time `json:"submitted,omitzero"`
	Started   time.Time `json:"started,omitzero"`
	Ended     time.Time `json:"ended,omitzero"`

	Durations Phases   `json:"durations"` // of the latest attempt
	Error     *Failure `json:"error,omitempty"`

	// Attempts are all of them that are known, the first one first.
	Attempts []Attempt `json:"attempts,omitempty"`
}

// Phases are how long an attempt was in each of its phases, in seconds; 0 for what has not ended.
type Phases struct {
	Waiting  float64 `json:"waiting,omitempty"`  // for arguments
	Queued   float64 `json:"queued,omitempty"`   // from then until it had a slot
	Fetching float64 `json:"fetching,omitempty"` // large arguments
	Running  float64 `json:"running,omitempty"`
	Storing  float64 `json:"storing,omitempty"` // a large result
}

// Attempt is one try to run a task.
type Attempt struct {
	Number    int       `json:"number"`
	State     string    `json:"state"`
	Node      string    `json:"node,omitempty"`
	NodeName  string    `json:"node_name,omitempty"`
	Ready     time.Time `json:"ready,omitzero"`   // its arguments had values
	Sent      time.Time `json:"sent,omitzero"`    // to its node
	Arrived   time.Time `json:"arrived,omitzero"` // there, by that node's clock, as are the next ones
	Started   time.Time `json:"started,omitzero"`
	Fetched   time.Time `json:"fetched,omitzero"`
	Returned  time.Time `json:"returned,omitzero"`
	Stored    time.Time `json:"stored,omitzero"`
	Ended     time.Time `json:"ended,omitzero"`
	Durations Phases    `json:"durations"`
	Error     *Failure  `json:"error,omitempty"`
}

// ActorState describes an actor.
type ActorState struct {
	ID       string `json:"id"` // its name, if it has one
	Class    string `json:"class"`
	State    string `json:"state"` // pending, alive, asleep (let go while idle), restarting, dead
	Detached bool   `json:"detached,omitempty"`
	Epoch    uint64 `json:"epoch,omitempty"`    // grows each time it begins anew; 0 of one that lives once
	Restarts int    `json:"restarts,omitempty"` // that are known of

	Owner     string `json:"owner,omitempty"` // the node that asked for it
	OwnerName string `json:"owner_name,omitempty"`
	Node      string `json:"node,omitempty"` // where it lives, or lived last
	NodeName  string `json:"node_name,omitempty"`
	Waiting   int    `json:"waiting,omitempty"` // calls in its mailbox
	Running   int    `json:"running,omitempty"` // calls

	Began time.Time `json:"began,omitzero"` // to live where it lives
	Ended time.Time `json:"ended,omitzero"`
	Cause *Failure  `json:"cause,omitempty"` // of its end
}

// ObjectState describes a large object, or a small one that is kept for others.
type ObjectState struct {
	ID    string `json:"id"`
	State string `json:"state"`           // pending, stored, freed; lost, while it is computed again or if it cannot be
	Size  int64  `json:"size"`            // in bytes
	Where string `json:"where,omitempty"` // memory (of its owner), bucket, or uploading

	Owner     string   `json:"owner,omitempty"`
	OwnerName string   `json:"owner_name,omitempty"`
	Holders   []string `json:"holders,omitempty"` // other nodes that have refs of it
	Pins      int      `json:"pins,omitempty"`    // calls under way that have it as an argument
	Given     bool     `json:"given,omitempty"`   // its name was given to who is no node

	Stored time.Time `json:"stored,omitzero"`
	Ended  time.Time `json:"ended,omitzero"`
}

// NodeState describes a node.
type NodeState struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	State     string            `json:"state"` // joined, draining, left, dead
	Version   string            `json:"version,omitempty"`
	Resources Resources         `json:"resources,omitempty"`
	Free      Resources         `json:"free,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Functions []string          `json:"functions,omitempty"`
	Classes   []string          `json:"classes,omitempty"`

	Submitted int64 `json:"submitted,omitempty"` // tasks, since it started
	Ran       int64 `json:"ran,omitempty"`       // tasks, whoever submitted them
	Pending   int   `json:"pending,omitempty"`   // tasks that it submitted and that have no outcome
	Running   int   `json:"running,omitempty"`   // tasks, there
	Actors    int   `json:"actors,omitempty"`    // that live there
	Objects   int   `json:"objects,omitempty"`   // that it keeps for others

	Joined time.Time `json:"joined,omitzero"`
	Ended  time.Time `json:"ended,omitzero"`
}

// GroupState describes a placement group.
type GroupState struct {
	ID        string   `json:"id"`
	State     string   `json:"state"` // pending, placed
	Strategy  string   `json:"strategy"`
	Owner     string   `json:"owner"` // the node that made it
	OwnerName string   `json:"owner_name,omitempty"`
	Bundles   []Bundle `json:"bundles"`
}

// Bundle is one of a group's.
type Bundle struct {
	Resources Resources `json:"resources"`
	Node      string    `json:"node,omitempty"`
	NodeName  string    `json:"node_name,omitempty"`
}
