//go:build race

package task_test

// manyTasks is as many as the race detector, which makes each about ten times as slow, lets finish in a few seconds.
const manyTasks = 100_000
