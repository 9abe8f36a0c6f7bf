package actor_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"manta/actor"
	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// fill makes residents, each of which holds a CPU, and waits until they live.
func fill(ctx context.Context, t *testing.T, s *stage, n int) (rooms []actor.Ref[resident]) {
	t.Helper()
	for i := range n {
		room := residents.New(ctx, s.resident(" "+strconv.Itoa(i)))
		if _, err := actor.Method(room, (*resident).Say).Call(ctx, "here"); err != nil {
			t.Fatal(err)
		}
		rooms = append(rooms, room)
	}
	return rooms
}

func TestAnActorHoldsItsResourcesUntilItEnds(t *testing.T) {
	c, s := nodetest.Start(t, 1, nodetest.CPUs(4)), newStage(t)
	ctx := timeout(t, c.Context(0))
	free := func(want float64) {
		t.Helper()
		if total, free := c.Node(0).Resources(); free["CPU"] != want || total["CPU"] != 4 {
			t.Errorf("%v of %v are free, want %v", free, total, want)
		}
	}
	rooms := fill(ctx, t, s, 3)
	free(1)
	if err := rooms[0].Stop(ctx); err != nil {
		t.Fatal(err)
	}
	free(2)
	if err := rooms[1].Kill(ctx); err != nil {
		t.Fatal(err)
	}
	free(3)
	hold := actor.Method(rooms[2], (*resident).Hold).Go(ctx, "gate")
	s.await("gate begins")
	free(3) // a call takes none
	s.open("gate")
	if _, err := hold.Get(ctx); err != nil {
		t.Fatal(err)
	}
	if err := rooms[2].Stop(ctx); err != nil {
		t.Fatal(err)
	}
	free(4)
}

func TestAnActorWithoutRoomWaitsUntilThereIsSome(t *testing.T) {
	c, s := nodetest.Start(t, 2, nodetest.CPUs(1)), newStage(t)
	ctx := timeout(t, c.Context(0))
	rooms := fill(ctx, t, s, 2)
	late := residents.New(ctx, s.resident(" late"))
	said := actor.Method(late, (*resident).Say).Map(ctx, []string{"one", "two"})
	if _, err := actor.Method0(counters.New(ctx, counter{}), (*counter).Value).Call(ctx); err != nil {
		t.Errorf("an actor that needs nothing found no room: %v", err)
	}
	if slices.Contains(s.read(), "start late") {
		t.Fatal("an actor started without room")
	}
	if err := rooms[0].Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := objstore.GetAll(ctx, said); err != nil {
		t.Fatal(err)
	}
	diary := s.read()
	if i := slices.Index(diary, "close 0"); !slices.Equal(diary[i:], []string{"close 0", "start late", "one", "two"}) {
		t.Errorf("the diary is %q", diary)
	}
}

func TestAnActorThatWaitsForRoomCanBeKilled(t *testing.T) {
	c, s := nodetest.Start(t, 1, nodetest.CPUs(1)), newStage(t)
	ctx := timeout(t, c.Context(0))
	room := fill(ctx, t, s, 1)[0]
	late := residents.New(ctx, s.resident(" late"))
	said := actor.Method(late, (*resident).Say).Go(ctx, "never")
	if err := late.Kill(ctx); err != nil {
		t.Errorf("Kill: %v", err)
	}
	if _, err := said.Get(ctx); !isDead(err) {
		t.Errorf("a call that waited: got %v, want ErrDead", err)
	}
	if err := room.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	fill(ctx, t, s, 1)
	if diary := s.read(); slices.Contains(diary, "start late") || slices.Contains(diary, "never") {
		t.Errorf("it lived: %q", diary)
	}
}

func TestAnActorThatWaitsForRoomCanBeStoppedAndKilledByOthers(t *testing.T) {
	for how, end := range map[string]func(actor.Ref[resident], context.Context) error{"stopped": actor.Ref[resident].Stop, "killed": actor.Ref[resident].Kill} {
		t.Run(how, func(t *testing.T) {
			nodetest.Virtual(t, func(t *testing.T) {
				c, s := nodetest.Start(t, 2, nodetest.CPUs(1)), newStage(t)
				ctx, other := timeout(t, c.Context(0)), timeout(t, c.Context(1))
				rooms := fill(ctx, t, s, 2)
				late := residents.New(ctx, s.resident(" late"))
				ended := make(chan error, 1)
				go func() { ended <- end(late, other) }()
				time.Sleep(3 * time.Second) // virtual: longer than interest takes to spread
				if err := rooms[0].Stop(ctx); err != nil {
					t.Fatal(err)
				}
				if err := <-ended; err != nil {
					t.Error(err)
				}
				if _, err := actor.Method(late, (*resident).Say).Call(ctx, "never"); !isDead(err) {
					t.Errorf("a call after: got %v, want ErrDead", err)
				}
				if diary := s.read(); slices.Contains(diary, "start late") != slices.Contains(diary, "close late") || how == "killed" && slices.Contains(diary, "start late") {
					t.Errorf("the diary is %q", diary)
				}
			})
		})
	}
}

// painter needs what no node has at first.
type painter struct{ desk }

var painters = actor.Define[painter]("painter", actor.Resources(map[string]float64{"easel": 0.5}))

func TestAnActorWithANeedThatNobodyHasWaitsForANodeThatHasIt(t *testing.T) {
	c := nodetest.Start(t, 1)
	ctx := timeout(t, c.Context(0))
	calls := actor.Method0(painters.New(ctx, painter{desk{Owner: "Ada"}}), (*painter).Greet).Go(ctx)
	i := c.Add(nodetest.Configure(func(_ int, cfg *node.Config) { cfg.Resources = map[string]float64{"easel": 1} }))
	if got, err := calls.Get(ctx); err != nil || got != "hello Ada" {
		t.Fatalf("got %q, %v", got, err)
	}
	if _, free := c.Node(i).Resources(); !maps.Equal(free, node.Resources{"CPU": 4, "easel": 0.5}) {
		t.Errorf("%v are free", free)
	}
}

func TestAnActorThatNoNodeCouldEverHaveFails(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c := nodetest.Start(t, 2)
		ctx := timeout(t, c.Context(0))
		begin := time.Now()
		_, err := actor.Method0(painters.New(ctx, painter{}), (*painter).Greet).Call(ctx)
		if !errors.Is(err, task.ErrInfeasible) || !strings.Contains(err.Error(), "easel:0.5") {
			t.Errorf("got %v, want ErrInfeasible with the need", err)
		}
		if took := time.Since(begin); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("it took %v, want 10 s", took)
		}
	})
}

func TestAStartThatFailsGivesItsResourcesBack(t *testing.T) {
	c, s := nodetest.Start(t, 1, nodetest.CPUs(1)), newStage(t)
	ctx := timeout(t, c.Context(0))
	s.open("curtain")
	for range 3 {
		if _, err := actor.Method(extras.New(ctx, extra{understudy{Stage: s.name}}), (*extra).Line).Call(ctx, 0); err == nil {
			t.Fatal("a call has a result")
		}
	}
	fill(ctx, t, s, 1)
}

// extra holds a CPU and cannot start.
type extra struct{ understudy }

var extras = actor.Define[extra]("extra", actor.CPUs(1))

func TestACallerAsksForAnActorThatWaitsForRoomNoMoreOftenAsTimeGoesBy(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, s := clientAndHosts(t, 1, nodetest.CPUs(1)), newStage(t)
		ctx := c.Context(0)
		rooms := fill(ctx, t, s, 1)
		asker := c.Add(nodetest.Configure(func(_ int, cfg *node.Config) { cfg.ClientOnly = true }))
		said := actor.Method(residents.New(ctx, s.resident(" late")), (*resident).Say).Go(c.Context(asker), "hello")
		messages := func() int64 {
			before := c.Node(asker).Stats().NATS.OutMessages
			time.Sleep(time.Minute) // virtual
			return c.Node(asker).Stats().NATS.OutMessages - before
		}
		first := messages()
		time.Sleep(10 * time.Minute) // virtual
		if later := messages(); later > 2*first {
			t.Errorf("it sends %d messages a minute, and sent %d in the first one", later, first)
		}
		if err := rooms[0].Stop(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := said.Get(ctx); err != nil {
			t.Error(err)
		}
	})
}
