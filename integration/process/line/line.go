// Package line is what a test and a process under test say to each other: a JSON object a line. The test writes commands
// to the process's stdin, the process writes events to its stdout.
package line

// A Command asks a process to do something.
type Command struct {
	// Do is "submit", "fetch" (wait for the results of the durable tasks in IDs), "put" (make a durable object of Count numbers, of which Stored is
	// said), "read" (the durable objects in IDs), "free" (them), "enough" (end a submission of which Width is given), "count" (make an actor and
	// call it until "enough"), "ledgers" (make Count actors that keep their state and call each until "enough"), "members" (wait until Count nodes serve tasks), "echo" (all that was said before stands before it), "fleet" (make Count actors and call each), "muster" (call
	// each of them again), "lend" (make an actor whose handle another process keeps), "churn" (make Count objects and drop them), "clear" (drop what was kept of others'), "memory", "drain" or "quit" (close the node and end with 0).
	Do string `json:"do"`

	// What to submit: Count tasks of the function Func. Each gets its number, from 0, and is to return it.
	Func      string             `json:"func,omitempty"`
	Count     int                `json:"count,omitempty"`
	Tag       string             `json:"tag,omitempty"`       // comes back in all events about these tasks
	Micros    int64              `json:"micros,omitempty"`    // how long each takes
	Depth     int                `json:"depth,omitempty"`     // how deep nested tasks nest
	Retries   *int               `json:"retries,omitempty"`   // Manta's default if nil
	Resources map[string]float64 `json:"resources,omitempty"` // what each needs, beside a CPU
	Width     int                `json:"width,omitempty"`     // so many are under way at any time, until "enough" with the same tag; no Count
	InTurn    bool               `json:"in_turn,omitempty"`   // each is submitted when the one before has its result
	Quiet     bool               `json:"quiet,omitempty"`     // no event for each result, only the one when all are done
	Durable   bool               `json:"durable,omitempty"`   // durable ones, of each of which Stored is said; not with Width or InTurn
	IDs       []string           `json:"ids,omitempty"`       // of what is to be fetched, read or freed, as Stored has them
}

// The kinds of events.
const (
	Ready   = "ready"   // the node has started
	Start   = "start"   // a task starts here: it has what it needs
	End     = "end"     // a task ends here: it has still what it needs
	Stored  = "stored"  // a durable task that was submitted here, or a durable object, is stored
	Result  = "result"  // a task that was submitted here has its result, or an object was read: Value is how many numbers it has
	Done    = "done"    // all of a command is done
	Beat    = "beat"    // all ledgers have reached their Nth beat: so and so many calls of each
	Members = "members" // as many nodes as asked for serve tasks
	Echo    = "echo"    // the process was asked for it
	Drained = "drained" // the node is drained, or Error says why not
	Memory  = "memory"  // what the process keeps: Bytes of heap, OK objects for others
)

// An Event is something that happened in a process.
type Event struct {
	Event string `json:"event"`
	Node  string `json:"node"` // id of the process's node
	At    int64  `json:"at"`   // ns since 1970 by the machine's clock, which all processes share

	URL string `json:"url,omitempty"` // of the server that a ready node is connected to

	// Of the task that starts, ends or has its result.
	Task    string `json:"task,omitempty"`
	Func    string `json:"func,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	Tag     string `json:"tag,omitempty"`
	N       int    `json:"n"`
	Epoch   uint64 `json:"epoch,omitempty"` // of an actor

	Keeper string `json:"keeper,omitempty"` // the node that keeps the handle of an actor that was lent

	// Of a result.
	Value int    `json:"value"`
	Error string `json:"error,omitempty"`
	Code  string `json:"code,omitempty"` // of the error: "worker_lost" and the like, "failed" if the function itself said so

	Bytes int64 `json:"bytes,omitempty"` // of memory

	TookMS float64 `json:"took_ms,omitempty"` // from submission to the result, or to the last of all
	OK     int     `json:"ok,omitempty"`      // of done: how many have a value
	Failed int     `json:"failed,omitempty"`  // of done: how many have an error
}
