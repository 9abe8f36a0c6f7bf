package call

import (
	"context"
	"runtime/pprof"
)

// The labels of profiles.
const (
	TaskLabel   = "manta_task"   // a function
	ActorLabel  = "manta_actor"  // a class
	MethodLabel = "manta_method" // of an actor
)

// Labels are what profiles say of a goroutine that runs a call, and of those that it starts. They are made once a function or method: to set
// them then takes a few nanoseconds, and no memory.
type Labels struct {
	ctx context.Context // with the labels and nothing else, as package pprof wants them
}

// NewLabels makes labels of names and values, by turns.
func NewLabels(pairs ...string) *Labels {
	return &Labels{pprof.WithLabels(context.Background(), pprof.Labels(pairs...))}
}

// Set labels this goroutine. Tasks of one function that follow each other set them once: one that changes them has to put them back, as
// pprof.Do does.
func (l *Labels) Set() { pprof.SetGoroutineLabels(l.ctx) }

// Value is what the ctx of a call has for package pprof, whose Do adds to the labels in a ctx and goes back to them; nil for any other key.
func (l *Labels) Value(key any) any { return l.ctx.Value(key) }

// Unlabel ends the labels of this goroutine.
func Unlabel() { pprof.SetGoroutineLabels(context.Background()) }
