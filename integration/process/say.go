package main

import (
	"encoding/json"
	"os"
	"sync"
	"time"

	"manta/integration/process/line"
)

// A voice writes events to stdout. Each is with the reader before say returns: also kill -9 does not unsay it.
type voice struct {
	mu   sync.Mutex
	node string
}

var here voice

// say stamps the event with the time and the process's node.
func (v *voice) say(e line.Event) {
	e.At = time.Now().UnixNano()
	v.mu.Lock()
	defer v.mu.Unlock()
	if e.Event == line.Ready {
		v.node = e.Node
	}
	e.Node = v.node
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // a struct of strings and numbers
	}
	if _, err := os.Stdout.Write(append(text, '\n')); err != nil {
		os.Exit(1) // the test has gone
	}
}

// asJSON reads a flag's value as JSON.
func asJSON(v any) func(string) error {
	return func(text string) error { return json.Unmarshal([]byte(text), v) }
}
