package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"manta/actor"
	"manta/integration/process/line"
)

// A ledger is a tally whose count goes on in its next life.
type ledger struct{ tally }

func (l *ledger) Snapshot(context.Context) ([]byte, error) { return json.Marshal(l.n) }

func (l *ledger) Restore(_ context.Context, state []byte) error { return json.Unmarshal(state, &l.n) }

var ledgers = actor.Define[ledger]("ledger", actor.Restarts(-1))

// beatOf is how many calls of each ledger make a beat.
const beatOf = 5

// keepLedgers makes c.Count ledgers and has each count, one call after the other and a pause of c.Micros after each, until it is told that it is
// enough. It says a beat whenever all have counted so far, and results only if they are not what they should be.
func keepLedgers(ctx context.Context, c line.Command) {
	var (
		mu       sync.Mutex
		done     = line.Event{Event: line.Done, Tag: c.Tag}
		reached  = make(map[int]int) // by beat: how many ledgers have come so far
		counting sync.WaitGroup
	)
	count := func(n int) {
		tag := fmt.Sprintf("%s %d", c.Tag, n)
		call := actor.Method0(ledgers.New(ctx, ledger{tally{Tag: tag, Quiet: true}}), (*ledger).Count)
		var last counted
		for calls := 1; ; calls++ {
			select {
			case <-enoughOf(c.Tag):
				return
			default:
			}
			r, err := call.Call(ctx)
			mu.Lock()
			if err == nil && r.N == last.N+1 && r.Epoch >= last.Epoch {
				done.OK++
			} else {
				done.Failed++
				here.say(line.Event{Event: line.Result, Tag: tag, N: calls, Value: r.N, Epoch: r.Epoch, Error: text(err), Code: code(err)})
			}
			if last.N > 0 && r.Epoch > last.Epoch {
				done.N++
			}
			if beat := calls / beatOf; calls%beatOf == 0 {
				if reached[beat]++; reached[beat] == c.Count {
					here.say(line.Event{Event: line.Beat, Tag: c.Tag, N: beat})
				}
			}
			mu.Unlock()
			last = r
			_ = pause(ctx, job{Micros: c.Micros}) // if ctx ends, the next call says so
		}
	}
	for n := range c.Count {
		counting.Go(func() { count(n) })
	}
	counting.Wait()
	here.say(done)
}
