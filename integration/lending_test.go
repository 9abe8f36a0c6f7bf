package integration

import (
	"testing"
	"time"

	"manta/integration/process/line"
)

// lent has an owner make an actor of which another process alone has a handle, and returns that process and the actor's.
func (c *cluster) lent(owner *process, tag string) (keeper, home *process) {
	c.t.Helper()
	owner.tell(line.Command{Do: "lend", Tag: tag})
	id := owner.done(tag).Keeper
	for _, w := range c.workers {
		if w.first(line.Ready, "").Node == id {
			keeper = w
		}
		if len(only(w.events.all(), line.Start, tag)) > 0 {
			home = w
		}
	}
	if keeper == nil || home == nil || keeper == home {
		c.t.Fatalf("%s is kept by %v and lives in %v", tag, keeper, home)
	}
	return keeper, home
}

func TestAnActorLivesAsLongAsAnyProcessHasAHandle(t *testing.T) {
	t.Parallel()
	c := oneServer(t, same(3, worker{cpus: 4}))
	owner := c.owner()
	owner.meet(3)
	for tag, drop := range map[string]func(keeper *process){
		"the handle is dropped": func(p *process) { p.tell(line.Command{Do: "clear"}); p.memory() },
		"its process is killed": func(p *process) { p.kill() },
	} {
		keeper, home := c.lent(owner, tag)
		for range 3 { // sweeps of the owner, each of what the collection before it has found
			owner.memory()
			<-time.After(time.Second)
		}
		if len(only(home.events.all(), line.End, tag)) > 0 {
			t.Fatalf("%s: the actor was stopped before that", tag)
		}
		drop(keeper)
		home.first(line.End, tag)
	}
}
