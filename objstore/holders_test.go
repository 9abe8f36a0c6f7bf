package objstore

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"manta/internal/member"
)

// dropper is a node in the model: it gets and drops handles of one object, and says so by post.
type dropper struct {
	id      member.ID
	holds   bool
	known   bool // its owner has acknowledged that it holds
	version uint64
	post    post
	flight  [][]note // batches that are under way: the network may deliver each any number of times
}

func (d *dropper) change(holds bool) {
	if d.holds == holds {
		return
	}
	d.holds, d.known = holds, false
	d.version++
	kind := byte(noteDropped)
	if holds {
		kind = noteHolds
	}
	d.post.put(note{kind, 1, d.version})
}

// deliver is what the owner does with a batch.
func (d *dropper) deliver(h *holders, batch []note) {
	for _, n := range batch {
		h.note(d.id, n.version, n.kind == noteHolds)
	}
}

// acknowledge is what the node does when the owner has answered.
func (d *dropper) acknowledge(batch []note) {
	d.post.done(batch)
	for _, n := range batch {
		if n.kind == noteHolds && n.version == d.version {
			d.known = true
		}
	}
}

func TestAnOwnerKnowsItsHoldersWhateverTheNetworkDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var set holders
		nodes := make([]*dropper, rapid.IntRange(1, 4).Draw(t, "nodes"))
		for i := range nodes {
			nodes[i] = &dropper{id: member.ID{byte(i + 1)}}
		}
		one := func(t *rapid.T) *dropper { return rapid.SampledFrom(nodes).Draw(t, "node") }
		t.Repeat(map[string]func(*rapid.T){
			"get":  func(t *rapid.T) { one(t).change(true) },
			"drop": func(t *rapid.T) { one(t).change(false) },
			"say": func(t *rapid.T) {
				d := one(t)
				if batch := d.post.take(rapid.IntRange(1, 3).Draw(t, "at most")); batch != nil {
					d.flight = append(d.flight, batch)
				}
			},
			"deliver, perhaps late and again": func(t *rapid.T) {
				d := one(t)
				if len(d.flight) > 0 {
					batch := rapid.SampledFrom(d.flight).Draw(t, "batch")
					d.deliver(&set, batch)
					if rapid.Bool().Draw(t, "its answer arrives") {
						d.acknowledge(batch)
					}
				}
			},
			"": func(t *rapid.T) {
				for _, d := range nodes {
					if d.known && !slices.Contains(set.nodes(), d.id) {
						t.Fatalf("node %v holds the object and was told that its owner knows; it knows of %v", d.id, set.nodes())
					}
				}
			},
		})
		// Everything arrives in the end, since each batch is said until it is answered; old ones may come last.
		var want []member.ID
		for _, d := range nodes {
			for {
				batch := d.post.take(10)
				if batch == nil {
					break
				}
				d.deliver(&set, batch)
				d.acknowledge(batch)
			}
			for _, batch := range rapid.Permutation(d.flight).Draw(t, "late") {
				d.deliver(&set, batch)
				d.acknowledge(batch)
			}
			if d.holds {
				want = append(want, d.id)
			}
			if len(d.post.notes) > 0 {
				t.Fatalf("node %v still has %v to say", d.id, d.post.notes)
			}
		}
		got := set.nodes()
		for _, id := range want {
			if !slices.Contains(got, id) {
				t.Fatalf("the holders are %v, the owner knows %v", want, got)
			}
		}
		if len(got) != len(want) || set.some() != (len(want) > 0) {
			t.Fatalf("the holders are %v, the owner knows %v", want, got)
		}
	})
}

func TestANodeThatLeftHoldsNothingUntilItSaysSoAgain(t *testing.T) {
	var set holders
	a, b := member.ID{1}, member.ID{2}
	set.note(a, 7, true)
	set.note(b, 1, true)
	set.left(a)
	if got := set.nodes(); !slices.Equal(got, []member.ID{b}) {
		t.Errorf("the holders are %v, want %v alone", got, b)
	}
	set.note(a, 7, true) // it is back, and says all again
	if got := set.nodes(); !slices.Contains(got, a) {
		t.Errorf("the holders are %v, want %v too", got, a)
	}
}

func TestWhatIsSaidWhileABatchIsUnderWayIsSaidAfterIt(t *testing.T) {
	var p post
	p.put(note{noteHolds, 1, 1})
	batch := p.take(10)
	p.put(note{noteDropped, 1, 2})
	p.put(note{noteHolds, 1, 3})
	p.done(batch)
	if got := p.take(10); len(got) != 1 || got[0] != (note{noteHolds, 1, 3}) {
		t.Errorf("next is %v, want the latest word alone", got)
	}
}
