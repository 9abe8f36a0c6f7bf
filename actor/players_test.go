package actor_test

import (
	"context"
	"errors"
	"fmt"

	"manta/actor"
	"manta/task"
)

// counter counts.
type counter struct {
	From int

	n int
}

func (c *counter) Start(context.Context) error {
	c.n = c.From
	return nil
}

func (c *counter) Add(_ context.Context, k int) (int, error) {
	c.n += k
	return c.n, nil
}

// Double leaves the counter alone.
func (c *counter) Double(_ context.Context, k int) (int, error) { return 2 * k, nil }

func (c *counter) Value(context.Context) (int, error) { return c.n, nil }

func (c *counter) AddProduct(_ context.Context, a, b int) (int, error) {
	c.n += a * b
	return c.n, nil
}

var counters = actor.Define[counter]("counter")

// player writes what happens to it into its stage's diary. Its methods are shared by classes that differ in their options.
type player struct {
	Stage string
	Tag   string // added to Start and Close, to tell several players apart
}

func (p *player) stage() *stage { return stageNamed(p.Stage) }

func (p *player) Start(context.Context) error {
	p.stage().write("start" + p.Tag)
	return nil
}

func (p *player) Close() error {
	p.stage().write("close" + p.Tag)
	return nil
}

// Hold waits at a gate.
func (p *player) Hold(ctx context.Context, gate string) (string, error) {
	return p.stage().hold(ctx, gate)
}

// Say writes a line.
func (p *player) Say(_ context.Context, line string) (string, error) {
	p.stage().write(line)
	return line, nil
}

type (
	soloist   struct{ player } // one call at a time
	trio      struct{ player } // three at a time
	resident  struct{ player } // holds a CPU
	performer struct{ player } // fails in every way
)

var (
	soloists   = actor.Define[soloist]("soloist")
	trios      = actor.Define[trio]("trio", actor.Concurrency(3))
	residents  = actor.Define[resident]("resident", actor.CPUs(1))
	performers = actor.Define[performer]("performer")
)

func (s *stage) soloist() soloist     { return soloist{player{Stage: s.name}} }
func (s *stage) trio() trio           { return trio{player{Stage: s.name}} }
func (s *stage) performer() performer { return performer{player{Stage: s.name}} }

func (s *stage) resident(tag string) resident { return resident{player{Stage: s.name, Tag: tag}} }

var errStageFright = errors.New("stage fright")

func init() { task.RegisterError("stage_fright", errStageFright) }

// Fail returns an error that wraps a registered one.
func (p *performer) Fail(_ context.Context, why string) (int, error) {
	return 0, fmt.Errorf("%s: %w", why, errStageFright)
}

// Panic panics.
func (p *performer) Panic(_ context.Context, why string) (int, error) { panic(why) }
