//go:build race

package task_test

// manyTasks is as many as the race detector, which makes each about ten times as slow, lets finish in a few seconds.
const manyTasks = 100_000

// bytesPerTask bounds what an owner keeps of a queued task, its ref included. Under the race detector pools drop at random what
// they are given, so it says nothing of memory.
const bytesPerTask = 1024
