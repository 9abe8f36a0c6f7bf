package bench

import "time"

// sizes are how much a run of a measure does.
type sizes struct {
	warm      int // tasks or requests before the clock starts
	requests  int // of a pipelined baseline
	backlog   int // tasks submitted at once
	calls     int // one after the other
	loops     int // of wait_1k_refs
	waited    int // tasks in one of these loops
	args      int // refs in one argument
	parents   int // tasks that start children
	queued    int // tasks behind a blocked worker
	flood     int // tasks of the owner that floods
	allocated int // tasks whose allocations are counted
	blob      int // bytes of a large value
	broadcast int // bytes that go to several nodes

	created     int // actors made at once
	inhabitants int // actors of a node that has very many

	durable, durableWarm int // durable tasks, and those before the clock starts

	floodLasts time.Duration // after this a flood is cancelled, once it has seen enough single tasks
	singles    int           // enough of them for a 99th percentile
	trials     int           // of a placement
	part       int           // a measure whose name says how much it does, does one part in so many of that
}

var full = sizes{
	warm: 100_000, requests: 100_000, backlog: 100_000, calls: 5_000, loops: 20, waited: 1_000, args: 10_000, parents: 100,
	queued: 1_000_000, flood: 100_000, allocated: 100_000, durable: 50_000, durableWarm: 10_000, blob: 800_000_000, broadcast: 1 << 30, created: 10_000, inhabitants: 100_000,
	floodLasts: 20 * time.Second, singles: 100, trials: 20, part: 1,
}

var quick = sizes{
	warm: 10, requests: 500, backlog: 500, calls: 50, loops: 1, waited: 50, args: 50, parents: 5,
	queued: 500, flood: 500, allocated: 500, durable: 200, durableWarm: 10, blob: 3_000_000, broadcast: 8 << 20, created: 50, inhabitants: 100,
	floodLasts: 100 * time.Millisecond, singles: 1, trials: 3, part: 20,
}
