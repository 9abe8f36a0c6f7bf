package actor_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"manta/actor"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// pilgrim is a phoenix with a line for Say beside that of its other methods.
type pilgrim struct{ phoenix }

// Myself returns a handle of the actor.
func (p *pilgrim) Myself(ctx context.Context) (actor.Ref[pilgrim], error) {
	return actor.Self[pilgrim](ctx)
}

// Leave ends the actor.
func (p *pilgrim) Leave(ctx context.Context) (string, error) { return "farewell", actor.Exit(ctx) }

// narrow lets a process have three calls under way.
type narrow struct{ phoenix }

var (
	pilgrims = actor.Define[pilgrim]("pilgrim", actor.Restarts(-1), actor.Group("talk", 1, "Say"))
	narrows  = actor.Define[narrow]("narrow", actor.Restarts(-1), actor.PendingCalls(3))
)

func (s *stage) pilgrim() pilgrim { return pilgrim{s.phoenix()} }

// only returns the entries of the diary that are among the given ones.
func (s *stage) only(entries ...string) []string {
	return slices.DeleteFunc(s.read(), func(e string) bool { return !slices.Contains(entries, e) })
}

func TestACallerOnTheActorsNodeFollowsItWhenTheNodeWasTakenForLost(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		r := phoenixes.New(timeout(t, c.Context(0)), s.phoenix())
		ctx := timeout(t, c.Context(1))
		hold, say := actor.Method(r, (*phoenix).Hold), actor.Method(r, (*phoenix).Say)
		running := hold.Go(ctx, "gate")
		s.await("gate begins")
		calls := say.Map(ctx, []string{"one", "two"})
		c.Add()
		c.Pause(1)
		s.awaits(2, "start")
		calls = append(calls, say.Go(ctx, "three")) // the cell is fenced by then
		c.Resume(1)
		if _, err := running.Get(ctx); !errors.Is(err, actor.ErrUnavailable) {
			t.Errorf("a call under way: got %v, want ErrUnavailable", err)
		}
		if _, err := objstore.GetAll(ctx, calls); err != nil {
			t.Error(err)
		}
		if got, want := s.only("start", "one", "two", "three"), []string{"start", "start", "one", "two", "three"}; !slices.Equal(got, want) {
			t.Errorf("the diary is %q, want %q", got, want)
		}
	})
}

func TestAFencedCellTakesNoCallOfItsOwnNode(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		r := phoenixes.New(timeout(t, c.Context(0)), s.phoenix())
		ctx := timeout(t, c.Context(1))
		say := actor.Method(r, (*phoenix).Say)
		if _, err := say.Call(ctx, "said"); err != nil {
			t.Fatal(err)
		}
		c.Pause(1)
		time.Sleep(5 * time.Second) // virtual: longer than its lease
		fenced := say.Go(ctx, "said")
		time.Sleep(time.Second) // virtual
		if got := s.only("said"); len(got) != 1 {
			t.Errorf("%d calls ran, want only the first", len(got))
		}
		c.Resume(1)
		if _, err := fenced.Get(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestADrainSendsTheCallsOfAllGroupsOnInOrder(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		r := pilgrims.New(ctx, s.pilgrim())
		hold, say := actor.Method(r, (*pilgrim).Hold), actor.Method(r, (*pilgrim).Say)
		running := hold.Go(ctx, "runs")
		s.await("runs begins")
		next := hold.Map(ctx, []string{"second", "third"})
		c.Add()
		drained := make(chan error, 1)
		go func() { drained <- c.Node(1).Drain(ctx) }()
		time.Sleep(time.Second) // virtual
		said := say.Map(ctx, []string{"one", "two"})
		for _, gate := range []string{"runs", "second", "third"} {
			s.open(gate)
		}
		if _, err := objstore.GetAll(ctx, slices.Concat([]objstore.Ref[string]{running}, next, said)); err != nil {
			t.Error(err)
		}
		if err := <-drained; err != nil {
			t.Error(err)
		}
		if got, want := s.only("start", "runs ends", "second ends", "third ends"), []string{"start", "runs ends", "start", "second ends", "third ends"}; !slices.Equal(got, want) {
			t.Errorf("the diary is %q, want %q", got, want)
		}
		if got, want := s.only("one", "two"), []string{"one", "two"}; !slices.Equal(got, want) {
			t.Errorf("the diary of the other group is %q, want %q", got, want)
		}
	})
}

func TestCallsThatWaitForTheNextLifeArePending(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		r := narrows.New(ctx, narrow{s.phoenix()})
		count := actor.Method0(r, (*narrow).Count).With(task.Retries(1))
		if _, err := count.Call(ctx); err != nil {
			t.Fatal(err)
		}
		c.Kill(1)
		c.AwaitMembers(0)
		pending := []objstore.Ref[int]{count.Go(ctx), count.Go(ctx), count.Go(ctx)}
		if _, err := count.Call(ctx); !errors.Is(err, task.ErrOverload) {
			t.Errorf("one more: got %v, want ErrOverload", err)
		}
		c.Add()
		if got, err := objstore.GetAll(ctx, pending); err != nil || !slices.Equal(got, []int{1, 2, 3}) {
			t.Errorf("got %v, %v, want 1, 2, 3", got, err)
		}
		if _, err := count.Call(ctx); err != nil {
			t.Errorf("after them: %v", err)
		}
	})
}

func TestSelfIsTheSameActorInEachLifeAndExitIsItsEnd(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		r := pilgrims.New(ctx, s.pilgrim(), actor.Name("pilgrim"))
		myself := actor.Method0(r, (*pilgrim).Myself)
		isItself := func() {
			t.Helper()
			if got, err := myself.Call(ctx); err != nil || got != r {
				t.Errorf("got %v, %v, want %v", got, err, r)
			}
		}
		isItself()
		second := c.Add()
		c.Kill(1)
		s.awaits(2, "start")
		isItself()
		if _, err := actor.Method0(r, (*pilgrim).Leave).Call(ctx); err != nil {
			t.Error(err)
		}
		s.await("close")
		if err := r.Stop(ctx); err != nil { // is answered when its record has ended
			t.Error(err)
		}
		c.Add()
		c.Kill(second)
		c.AwaitMembers(0, 3)
		if _, err := myself.Call(ctx); !isDead(err) {
			t.Errorf("after its exit: got %v, want ErrDead", err)
		}
		if got := s.only("start"); len(got) != 2 {
			t.Errorf("it has begun %d lives", len(got))
		}
	})
}

// scale is a Snapshotter whose two pans are odd while a method changes them.
type scale struct {
	player

	left, right int
}

func (s *scale) Left(context.Context) (int, error)  { return tip(&s.left) }
func (s *scale) Right(context.Context) (int, error) { return tip(&s.right) }

func tip(pan *int) (int, error) {
	*pan++
	for range 10 {
		runtime.Gosched()
	}
	*pan++
	return *pan, nil
}

func (s *scale) Snapshot(context.Context) ([]byte, error) {
	if s.left%2+s.right%2 > 0 {
		s.stage().write("odd")
	}
	s.stage().write("kept")
	return nil, nil
}

func (s *scale) Restore(context.Context, []byte) error { return nil }

var scales = actor.Define[scale]("scale", actor.Restarts(-1), actor.SnapshotEvery(1, time.Second), actor.Group("right", 1, "Right"))

func TestNoMethodOfAnyGroupRunsBesideASnapshot(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1), newStage(t)
		ctx := timeout(t, c.Context(0))
		r := scales.New(ctx, scale{player: player{Stage: s.name}})
		var calls []objstore.Ref[int]
		for range 50 {
			calls = append(calls, actor.Method0(r, (*scale).Left).Go(ctx), actor.Method0(r, (*scale).Right).Go(ctx))
		}
		if _, err := objstore.GetAll(ctx, calls); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(s.read(), "odd") {
			t.Error("a snapshot was taken while a method ran")
		}
		if !slices.Contains(s.read(), "kept") {
			t.Error("no snapshot was taken")
		}
	})
}
