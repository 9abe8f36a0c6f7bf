package member_test

import (
	"maps"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"manta/internal/member"
)

// capacityModel is what a Capacity is to do, written as plainly as can be.
type capacityModel struct {
	total, free member.Amounts
	held        []member.Amounts // by work that runs
	line        []int            // numbers of blocked work, in order
	needs       []member.Amounts // of blocked work, by number
	resumed     []int            // numbers of blocked work that went on, in order
}

func (m *capacityModel) covers(need member.Amounts) bool {
	for name, n := range need {
		if m.free[name] < n {
			return false
		}
	}
	return true
}

func (m *capacityModel) change(need member.Amounts, sign int64) {
	for name, n := range need {
		m.free[name] += sign * n
	}
}

// admit lets the line go on, strictly in order.
func (m *capacityModel) admit() {
	for len(m.line) > 0 && m.covers(m.needs[m.line[0]]) {
		need := m.needs[m.line[0]]
		m.change(need, -1)
		m.held = append(m.held, need)
		m.resumed = append(m.resumed, m.line[0])
		m.line = m.line[1:]
	}
}

func TestCapacityIsLentAsItsModelSays(t *testing.T) {
	needs := rapid.MapOfN(rapid.SampledFrom([]string{"CPU", "gpu", "never"}), rapid.SampledFrom([]int64{1, 2_500, 10_000, 15_000}), 0, 2)
	rapid.Check(t, func(t *rapid.T) {
		total := member.Amounts{"CPU": rapid.Int64Range(0, 40_000).Draw(t, "CPU"), "gpu": 15_000}
		c := member.NewCapacity(total)
		m := &capacityModel{total: maps.Clone(total), free: maps.Clone(total)}
		var resumed []int
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				need := member.Amounts(needs.Draw(t, "need"))
				want := m.covers(need) && (len(need) == 0 || len(m.line) == 0)
				if got := c.Take(need); got != want {
					t.Fatalf("Take(%v) says %v, want %v", need, got, want)
				}
				if want {
					m.change(need, -1)
					m.held = append(m.held, need)
				}
			},
			"give": func(t *rapid.T) {
				if len(m.held) == 0 {
					t.Skip("nothing is held")
				}
				i := rapid.IntRange(0, len(m.held)-1).Draw(t, "which")
				need := m.held[i]
				m.held = slices.Delete(m.held, i, i+1)
				m.change(need, 1)
				m.admit()
				c.Give(need)
			},
			"retake": func(t *rapid.T) {
				number := len(m.needs)
				m.needs = append(m.needs, needs.Draw(t, "need"))
				m.line = append(m.line, number)
				m.admit()
				c.Retake(m.needs[number], func() { resumed = append(resumed, number) })
			},
			"": func(t *rapid.T) {
				if !slices.Equal(resumed, m.resumed) {
					t.Fatalf("%v went on, want %v", resumed, m.resumed)
				}
				free := c.Free()
				for name := range m.free {
					if free[name] < 0 || free[name] != m.free[name] {
						t.Fatalf("%v is free, want %v", free, m.free)
					}
				}
				need := member.Amounts(needs.Draw(t, "slots"))
				want := m.free.Times(need, 7)
				if len(m.line) > 0 && len(need) > 0 {
					want = 0
				}
				if got := c.Slots(need, 7); got != want {
					t.Fatalf("there are %d slots for %v, want %d", got, need, want)
				}
			},
		})
		giveBackAll(t, c, m)
	})
}

// giveBackAll ends all work and asks for the total, unless somebody waits for what the node never had.
func giveBackAll(t *rapid.T, c *member.Capacity, m *capacityModel) {
	for len(m.held) > 0 {
		need := m.held[0]
		m.held = m.held[1:]
		m.change(need, 1)
		m.admit()
		c.Give(need)
	}
	if free := c.Free(); !maps.Equal(withoutZeroes(free), withoutZeroes(m.total)) || !maps.Equal(c.Total(), m.total) {
		t.Fatalf("all was given back and %v of %v is free", free, m.total)
	}
}

func withoutZeroes(a member.Amounts) member.Amounts {
	a = maps.Clone(a)
	maps.DeleteFunc(a, func(_ string, n int64) bool { return n == 0 })
	return a
}

func TestFourQuartersFitOnOneCPU(t *testing.T) {
	c := member.NewCapacity(amounts(t, map[string]float64{member.CPU: 1}))
	quarter := amounts(t, map[string]float64{member.CPU: 0.25})
	for i := range 4 {
		if !c.Take(quarter) {
			t.Fatalf("quarter %d does not fit", i+1)
		}
	}
	if c.Take(quarter) {
		t.Error("a fifth quarter fits")
	}
	c.Give(quarter)
	if !c.Take(quarter) {
		t.Error("a quarter that was given back cannot be taken")
	}
}

func TestNewWorkWaitsForBlockedWorkThatIsInLine(t *testing.T) {
	one, two := amounts(t, map[string]float64{member.CPU: 1}), amounts(t, map[string]float64{member.CPU: 2})
	c := member.NewCapacity(two)
	if !c.Take(one) {
		t.Fatal("nothing is free")
	}
	resumed := false
	c.Retake(two, func() { resumed = true })
	if c.Take(one) {
		t.Error("new work overtook the line")
	}
	if c.Give(one); !resumed {
		t.Error("the one in line did not go on")
	}
}

func TestManyBorrowAndGiveBackAtOnce(t *testing.T) {
	c := member.NewCapacity(amounts(t, map[string]float64{member.CPU: 2}))
	one := amounts(t, map[string]float64{member.CPU: 1})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				back := make(chan struct{})
				c.Retake(one, func() { close(back) })
				<-back
				c.Give(one)
			}
		})
	}
	all.Wait()
	if free := c.Free(); !maps.Equal(free, c.Total()) {
		t.Errorf("%v of %v is free", free, c.Total())
	}
}
