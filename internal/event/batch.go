package event

import (
	"encoding/json"
	"fmt"

	"manta/bus"
)

// Kind is what a message of events is about, as its subject says it.
type Kind string

// The kinds.
const (
	Tasks   Kind = "task"
	Actors  Kind = "actor"
	Objects Kind = "object"
	Nodes   Kind = "node"
	Groups  Kind = "group"
)

// Batch is what a node says at once: facts of one kind in the stream of events, or the answer to a question about what it has.
type Batch struct {
	Node    string `json:"node"`
	LeftOut int64  `json:"left_out,omitempty"` // tasks of which nothing is told, since the node's last message
	More    int    `json:"more,omitempty"`     // things that the node has at this moment beside those that follow

	Tasks   []*Task   `json:"tasks,omitempty"`
	Actors  []*Actor  `json:"actors,omitempty"`
	Objects []*Object `json:"objects,omitempty"`
	Nodes   []*Node   `json:"nodes,omitempty"`
	Groups  []*Group  `json:"groups,omitempty"`
}

// mostFacts is how many facts a message has at most: some 300 bytes each, and at most mostWords more.
const mostFacts = 256

// message is a batch as it is stored.
type message struct {
	kind Kind
	data []byte
	n    int64 // facts in it
	left int64 // what it says was left out
}

// append appends batches of facts, as many as it takes, to messages.
func appendBatches[F any](to []message, kind Kind, node string, left int64, all []F, put func(*Batch, []F)) []message {
	for len(all) > 0 || left > 0 {
		n := min(len(all), mostFacts)
		b := Batch{Node: node, LeftOut: left}
		put(&b, all[:n])
		data, err := json.Marshal(b)
		if err != nil { // facts are strings and numbers
			panic(fmt.Sprintf("event: %v", err))
		}
		to = append(to, message{kind: kind, data: data, n: int64(n), left: left})
		all, left = all[n:], 0
	}
	return to
}

// ReadBatch reads a message of the stream, or an answer.
func ReadBatch(data []byte) (b Batch, err error) {
	if err := json.Unmarshal(data, &b); err != nil {
		return Batch{}, fmt.Errorf("%w: events: %w", bus.ErrMalformed, err)
	}
	return b, nil
}
