package task

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// remembered is a record in the model: what is kept follows from what has happened to each, without counts or links.
type remembered struct {
	record  *lineage
	inputs  []int // indices of earlier ones that were kept at the time
	there   bool
	evicted bool
}

// kept says which records are to be kept: those not evicted whose object is there, or that one which is kept depends on.
func keptOf(all []*remembered) []bool {
	kept := make([]bool, len(all))
	for i := len(all) - 1; i >= 0; i-- { // those that depend on one come after it
		kept[i] = kept[i] || all[i].there
		kept[i] = kept[i] && !all[i].evicted
		for _, in := range all[i].inputs {
			kept[in] = kept[in] || kept[i]
		}
	}
	return kept
}

func costOf(all []*remembered, kept []bool) (sum int64) {
	for i, r := range all {
		if kept[i] {
			sum += r.record.cost
		}
	}
	return sum
}

func TestALedgerKeepsWhatIsNeededAndFitsTheBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		budget := rapid.Int64Range(1, 60).Draw(t, "budget")
		l := newLedger(budget)
		var all []*remembered
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				r := &remembered{record: &lineage{number: uint64(len(all)), cost: rapid.Int64Range(1, 20).Draw(t, "cost")}, there: true}
				for i, kept := range keptOf(all) {
					if kept && rapid.IntRange(0, 3).Draw(t, "an input") == 0 {
						r.inputs = append(r.inputs, i)
						r.record.inputs = append(r.record.inputs, all[i].record)
					}
				}
				r.evicted = r.record.cost > budget
				all = append(all, r)
				l.add(r.record)
				for kept := keptOf(all); costOf(all, kept) > budget; kept = keptOf(all) {
					all[slices.Index(kept, true)].evicted = true
				}
			},
			"an object is collected": func(t *rapid.T) {
				if len(all) == 0 {
					t.Skip("there is none")
				}
				i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				life := all[i].record.life
				l.gone(uint64(i), life+rapid.Uint64Range(0, 1).Draw(t, "of another life")*1_000)
				if l.of(uint64(i)) != all[i].record || all[i].record.life == 0 {
					all[i].there = false
				}
			},
			"a collected object is made again": func(t *rapid.T) {
				for i, kept := range keptOf(all) {
					if kept && !all[i].there {
						before := l.lives
						l.begin(all[i].record)
						all[i].there = true
						l.gone(uint64(i), before) // word of one that was collected before comes late
						return
					}
				}
			},
			"": func(t *rapid.T) {
				kept := keptOf(all)
				for i, r := range all {
					if got := l.of(uint64(i)); (got != nil) != kept[i] || got != nil && got != r.record {
						t.Fatalf("record %d: kept %v, want %v", i, got != nil, kept[i])
					}
					if r.record.kept != kept[i] {
						t.Fatalf("record %d says of itself that it is kept: %v, want %v", i, r.record.kept, kept[i])
					}
				}
				if want := costOf(all, kept); l.used != want || want > budget {
					t.Fatalf("%d bytes are used, want %d, of %d", l.used, want, budget)
				}
			},
		})
	})
}

func TestALongChainOfRecordsEndsWithItsLast(t *testing.T) {
	l := newLedger(1 << 40)
	var before *lineage
	const length = 1_000_000
	for i := range length {
		r := &lineage{number: uint64(i), cost: 1}
		if before != nil {
			r.inputs = []*lineage{before}
		}
		l.add(r)
		if before != nil {
			l.gone(before.number, before.life)
		}
		before = r
	}
	if l.used != length {
		t.Errorf("%d records are kept, want all %d", l.used, length)
	}
	l.gone(before.number, before.life)
	if l.used != 0 || len(l.records) != 0 || l.oldest != nil || l.newest != nil {
		t.Errorf("%d records are left", l.used)
	}
}
