package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"manta/actor"
	"manta/integration/process/line"
	"manta/node"
	"manta/objstore"
	"manta/task"
)

// parcel is an object that holds others.
type parcel struct {
	Numbers []objstore.Ref[[]float64]
	Inner   []objstore.Ref[parcel]
}

const (
	smallSize = 8       // numbers of a small object
	largeSize = 12_000  // of one that goes to the bucket: 96 KB
	largeOne  = 50      // one object in so many is large
	inParcel  = 20      // refs in a parcel
	together  = 16      // parcels under way
	lookAtOne = 10      // of so many parcels one is looked at again
	shelfRoom = 8 << 10 // refs that a process keeps of what came to it
)

// shelf is what a process keeps of what came to it in arguments: the latest parcels.
var shelf struct {
	sync.Mutex
	parcels []parcel
	refs    int
	kept    int // parcels so far
}

// keepOnShelf keeps a parcel and returns the oldest one, of which nobody else may have anything any more, and now and then says that it
// is to be looked at.
func keepOnShelf(p parcel) (oldest parcel, look bool) {
	shelf.Lock()
	defer shelf.Unlock()
	shelf.parcels = append(shelf.parcels, p)
	shelf.refs += len(p.Numbers)
	for shelf.refs > shelfRoom {
		shelf.refs -= len(shelf.parcels[0].Numbers)
		shelf.parcels[0] = parcel{}
		shelf.parcels = shelf.parcels[1:]
	}
	shelf.kept++
	return shelf.parcels[0], shelf.kept%lookAtOne == 0
}

func clearShelf() {
	shelf.Lock()
	defer shelf.Unlock()
	shelf.parcels, shelf.refs = nil, 0
}

var (
	weigh = task.Define("weigh", func(ctx context.Context, p parcel) (int, error) {
		if old, look := keepOnShelf(p); look {
			if _, err := count(ctx, old); err != nil && !errors.Is(err, objstore.ErrOwnerDead) {
				return 0, fmt.Errorf("what is kept here: %w", err)
			}
		}
		return count(ctx, p)
	})
	repack = task.Define("repack", func(ctx context.Context, p parcel) (parcel, error) {
		return parcel{
			Numbers: append(p.Numbers[:len(p.Numbers):len(p.Numbers)], numbers(ctx, 1), numbers(ctx, 0)),
			Inner:   []objstore.Ref[parcel]{objstore.Put(ctx, p)},
		}, nil
	})
)

// hand yields parcels made where it runs.
var hand = task.DefineStream("hand", func(ctx context.Context, n int, yield func(parcel) error) error {
	for i := range n {
		if err := yield(parcel{Numbers: []objstore.Ref[[]float64]{numbers(ctx, i), numbers(ctx, 1)}}); err != nil {
			return err
		}
	}
	return nil
})

// A cellar is an actor that keeps a parcel: the one that it starts with, then the latest.
type cellar struct{ Parcel parcel }

// Swap takes a parcel in and hands out the one before.
func (c *cellar) Swap(_ context.Context, p parcel) (parcel, error) {
	old := c.Parcel
	c.Parcel = p
	return old, nil
}

var cellars = actor.Define[cellar]("cellar")

// inAndOut has refs travel into an actor and out again, and come out of a stream.
func inAndOut(ctx context.Context) error {
	one := func() parcel { return parcel{Numbers: []objstore.Ref[[]float64]{numbers(ctx, 0), numbers(ctx, 1)}} }
	c := cellars.New(ctx, cellar{one()})
	defer func() { _ = c.Kill(ctx) }() // it may be dead already
	swap := actor.Method(c, (*cellar).Swap)
	for range 3 {
		old, err := swap.Call(ctx, one())
		if err != nil {
			return err
		}
		if _, err := count(ctx, old); err != nil {
			return err
		}
	}
	for p, err := range hand.Stream(ctx, 10) {
		if err != nil {
			return err
		}
		if _, err := count(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// count reads all that a parcel names and returns how many objects that was.
func count(ctx context.Context, p parcel) (n int, err error) {
	for _, r := range p.Numbers {
		v, err := r.Get(ctx)
		if err != nil {
			return n, err
		}
		if len(v) != smallSize && len(v) != largeSize {
			return n, errors.New("an object has changed its size")
		}
		n++
	}
	for _, r := range p.Inner {
		inner, err := r.Get(ctx)
		if err != nil {
			return n, err
		}
		more, err := count(ctx, inner)
		if err != nil {
			return n, err
		}
		n += more + 1
	}
	return n, nil
}

func numbers(ctx context.Context, n int) objstore.Ref[[]float64] {
	size := smallSize
	if n%largeOne == 0 {
		size = largeSize
	}
	return objstore.Put(ctx, make([]float64, size))
}

// churn makes objects until there were as many as the command says, nests them, sends them to tasks that keep some, has tasks make more, and
// drops them all. It says when half of them are made.
func churn(ctx context.Context, c line.Command) {
	done := line.Event{Event: line.Done, Tag: c.Tag}
	told := false
	for made := 0; made < c.Count; {
		var weights []objstore.Ref[int]
		var packed []objstore.Ref[parcel]
		for range together {
			p := parcel{}
			for i := range inParcel {
				p.Numbers = append(p.Numbers, numbers(ctx, made+i))
			}
			p.Inner = []objstore.Ref[parcel]{objstore.Put(ctx, parcel{Numbers: p.Numbers[:inParcel/2]})}
			weights = append(weights, weigh.Go(ctx, p))
			packed = append(packed, repack.Go(ctx, p))
			made += inParcel + 6 // its inner parcel, two results, and what repack makes
		}
		for i, r := range packed {
			note(&done, func() error {
				if _, err := weights[i].Get(ctx); err != nil {
					return err
				}
				p, err := r.Get(ctx)
				if err != nil {
					return err
				}
				n, err := weigh.Call(ctx, p)
				if want := inParcel + 2 + 1 + inParcel + 1 + inParcel/2; err == nil && n != want {
					return errors.New("objects are missing in a parcel")
				}
				return err
			}())
		}
		note(&done, inAndOut(ctx))
		made += 2*4 + 2*10
		if !told && made >= c.Count/2 {
			told = true
			here.say(line.Event{Event: line.Start, Tag: c.Tag})
		}
	}
	here.say(done)
}

// note counts an outcome. What comes of a process that died is no failure; the first other error is told.
func note(e *line.Event, err error) {
	switch {
	case err == nil:
		e.OK++
	case errors.Is(err, objstore.ErrOwnerDead), errors.Is(err, task.ErrWorkerLost), errors.Is(err, actor.ErrDead), errors.Is(err, actor.ErrUnavailable):
		e.Failed++
	case e.Error == "":
		e.Error = err.Error()
	}
}

// sayMemory says what the process keeps, once what nobody needs is collected: bytes of its heap, and objects that it keeps for others.
func sayMemory(n *node.Node) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	here.say(line.Event{Event: line.Memory, Bytes: int64(m.HeapAlloc), OK: n.Stats().Objects.Askable})
}
