package placement

import (
	"testing"

	"pgregory.net/rapid"

	"manta/internal/member"
	"manta/objstore"
)

// TestALedgerNeverGivesMoreThanThereIs plays random orders and tasks against a ledger: what the node has free, what bundles have free
// and what tasks hold are all that there is, at every moment.
func TestALedgerNeverGivesMoreThanThereIs(t *testing.T) {
	const all = 10
	rapid.Check(t, func(t *rapid.T) {
		c := member.NewCapacity(member.Amounts{member.CPU: all})
		l := newLedger(c)
		groups := []objstore.ID{{1}, {2}, {3}}
		var held []member.Amounts // by tasks
		group := rapid.SampledFrom(groups)
		attempt := rapid.Uint64Range(1, 2)
		t.Repeat(map[string]func(*rapid.T){
			"reserve": func(t *rapid.T) {
				o := order{group: group.Draw(t, "group"), attempt: attempt.Draw(t, "attempt"), final: rapid.Bool().Draw(t, "final")}
				o.bundles = map[int]member.Amounts{}
				for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, 2), 1, 3, rapid.ID).Draw(t, "bundles") {
					o.bundles[i] = member.Amounts{member.CPU: int64(i + 1)}
				}
				before := c.Free()[member.CPU]
				if !l.reserve(&o) && c.Free()[member.CPU] < before {
					t.Fatalf("a refusal takes %d", before-c.Free()[member.CPU])
				}
			},
			"commit":  func(t *rapid.T) { l.commit(&order{group: group.Draw(t, "group"), attempt: attempt.Draw(t, "attempt")}) },
			"undo":    func(t *rapid.T) { l.undo(&order{group: group.Draw(t, "group"), attempt: attempt.Draw(t, "attempt")}) },
			"release": func(t *rapid.T) { l.release(group.Draw(t, "group")) },
			"take": func(t *rapid.T) {
				in := member.Bundle{Group: group.Draw(t, "group").String(), Index: rapid.IntRange(-1, 2).Draw(t, "bundle")}
				if need := in.Need(member.Amounts{member.CPU: 1}); c.Take(need) {
					held = append(held, need)
				}
			},
			"give": func(t *rapid.T) {
				if len(held) > 0 {
					i := rapid.IntRange(0, len(held)-1).Draw(t, "task")
					c.Give(held[i])
					held = append(held[:i], held[i+1:]...)
				}
			},
			"": func(t *rapid.T) {
				sum := c.Free()[member.CPU] + int64(len(held))
				for _, id := range groups {
					name := member.CPU + member.Bundle{Group: id.String(), Index: member.AnyBundle}.Presence()
					sum += c.Free()[name]
					if h := l.groups[id]; h != nil {
						for _, need := range h.momently {
							sum += need[member.CPU]
						}
					}
				}
				for name, n := range c.Free() {
					if n < 0 {
						t.Fatalf("%d of %s is free", n, name)
					}
				}
				if sum != all {
					t.Fatalf("%d CPUs in all, want %d: free %v, tasks hold %d", sum, all, c.Free(), len(held))
				}
			},
		})
		for _, id := range groups {
			l.release(id)
		}
		for _, need := range held {
			c.Give(need)
		}
		if !c.Free().Own().Equal(member.Amounts{member.CPU: all}) || !c.Free().Equal(c.Total()) {
			t.Fatalf("in the end %v is free", c.Free())
		}
	})
}

func TestAnOrderThatComesTwiceTakesOnce(t *testing.T) {
	c := member.NewCapacity(member.Amounts{member.CPU: 10})
	l := newLedger(c)
	o := order{group: objstore.ID{1}, attempt: 1, final: true, bundles: map[int]member.Amounts{0: {member.CPU: 4}}}
	for range 3 {
		if !l.reserve(&o) || c.Free()[member.CPU] != 6 {
			t.Fatalf("%v is free, want CPU:6", c.Free().Own())
		}
	}
}
