//go:build !race

package task_test

// manyTasks is how many tasks one owner must be able to queue.
const manyTasks = 1_000_000
