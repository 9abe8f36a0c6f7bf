package member

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"manta/bus"
)

// republic is a number of nodes with guards, on one bucket of leases and one of records, in a time that a test decides on.
type republic struct {
	now     time.Time
	last    uint64 // revision of the bucket
	nodes   map[ID]*citizen
	records map[ID]bool
	removed map[ID]int // how often a record was
}

// citizen is a node: its lease is renewed while it is alive, and its guard acts while its process is.
type citizen struct {
	guard   *guard
	key     leaseKey
	alive   bool
	renewed time.Time
	watched []ID
}

func newRepublic(n int) *republic {
	r := &republic{now: time.Unix(1_000_000, 0), nodes: map[ID]*citizen{}, records: map[ID]bool{}, removed: map[ID]int{}}
	for i := range n {
		id := ID{byte(i)}
		r.nodes[id] = &citizen{guard: newGuard(id, 0), alive: true}
		r.records[id] = true
		r.write(id, nil, 0, LeaseTTL)
		r.nodes[id].renewed = r.now
	}
	return r
}

// tell tells the guards that watch a lease what its key holds.
func (r *republic) tell(id ID) {
	for _, c := range r.nodes {
		if c.alive && slices.Contains(c.watched, id) {
			c.guard.see(id, r.entry(id), r.now)
		}
	}
}

func (r *republic) entry(id ID) bus.Entry {
	key := &r.nodes[id].key
	return bus.Entry{Key: id.String(), Value: key.value, Revision: key.revision, Gone: !key.there}
}

func (r *republic) write(id ID, value []byte, revision uint64, ttl time.Duration) bool {
	key := &r.nodes[id].key
	key.last = r.last
	_, ok := key.write(value, revision, ttl, r.now)
	r.last = key.last
	if ok {
		r.tell(id)
	}
	return ok
}

// pass lets 50 ms pass: leases are renewed, end, and are claimed.
func (r *republic) pass(t *rapid.T) {
	r.now = r.now.Add(50 * time.Millisecond)
	for _, id := range slices.SortedFunc(maps.Keys(r.nodes), ID.compare) {
		c := r.nodes[id]
		c.key.last = r.last
		if c.key.expire(r.now) {
			r.last = c.key.last
			r.tell(id)
		}
		if !c.alive {
			continue
		}
		if r.now.Sub(c.renewed) >= pace(0).renewal() {
			r.write(id, nil, c.key.revision, LeaseTTL)
			c.renewed = r.now
		}
		r.guard(t, id, c)
	}
}

func (r *republic) guard(t *rapid.T, id ID, c *citizen) {
	if wards := wardsOf(slices.Collect(maps.Keys(r.records)), id); !slices.Equal(wards, c.watched) {
		c.watched = wards
		c.guard.keep(wards, r.now)
		for _, ward := range wards {
			if e := r.entry(ward); e.Revision > 0 {
				c.guard.see(ward, e, r.now)
			}
		}
	}
	actions, _ := c.guard.next(r.now)
	for _, a := range actions {
		key := r.nodes[a.id].key
		switch {
		case a.remove:
			if claimantOf(r.entry(a.id)) != id.String() {
				t.Fatalf("%s removes the record of %s, whose lease it has not claimed: %+v", id, a.id, key)
			}
			if r.records[a.id] {
				r.removed[a.id]++
			}
			delete(r.records, a.id)
			c.guard.removed(a.id)
		case key.there && len(key.value) == 0 && key.revision == a.revision:
			t.Fatalf("%s claims the lease that %s holds", id, a.id)
		case r.write(a.id, claimOf(id), a.revision, claimTTL):
			c.guard.claimed(a.id, r.nodes[a.id].key.revision, r.now)
		}
	}
}

// orderly says whether exactly those that are alive have records.
func (r *republic) orderly() bool {
	for id, c := range r.nodes {
		if c.alive != r.records[id] {
			return false
		}
	}
	return true
}

func TestWhoDiesIsRemovedOnceAndNobodyElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRepublic(rapid.IntRange(2, 9).Draw(t, "nodes"))
		for range 20 {
			r.pass(t)
		}
		mortal := len(r.nodes) - 1
		for _, id := range slices.SortedFunc(maps.Keys(r.nodes), ID.compare) {
			c := r.nodes[id]
			if mortal > 0 && rapid.Bool().Draw(t, "dies") {
				c.alive, mortal = false, mortal-1
			}
			for range rapid.IntRange(0, 30).Draw(t, "later") {
				r.pass(t)
			}
			if c.alive && !r.records[id] {
				t.Fatalf("%s is alive and was removed", id)
			}
		}
		for range 20 * 30 { // 30 s: whoever stands behind dead neighbours is found a round later
			r.pass(t)
		}
		for id, times := range r.removed {
			if times != 1 {
				t.Fatalf("the record of %s was removed %d times", id, times)
			}
		}
		if !r.orderly() {
			t.Fatalf("the records are of %v", slices.Collect(maps.Keys(r.records)))
		}
	})
}

func TestADeathIsKnownWithinThreeSeconds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRepublic(rapid.IntRange(2, 9).Draw(t, "nodes"))
		for range rapid.IntRange(20, 40).Draw(t, "before") {
			r.pass(t)
		}
		r.nodes[ID{1}].alive = false
		for died := r.now; !r.orderly(); r.pass(t) {
			if r.now.Sub(died) > 3*time.Second {
				t.Fatal("3 s after its death a node has a record")
			}
		}
	})
}

func TestNobodyIsClaimedWithinTheGraceOfANewPicture(t *testing.T) {
	g, now, ward := newGuard(ID{1}, 0), time.Unix(1_000_000, 0), ID{2}
	g.keep([]ID{ward}, now)
	g.forget(now)
	g.see(ward, bus.Entry{Gone: true, Revision: 7}, now)
	if actions, wake := g.next(now.Add(pace(0).grace() - 1)); len(actions) > 0 || !wake.Equal(now.Add(pace(0).grace())) {
		t.Errorf("claimed %v, wake %v", actions, wake)
	}
	if actions, _ := g.next(now.Add(pace(0).grace())); len(actions) != 1 || actions[0] != (guardAction{id: ward, revision: 7}) {
		t.Errorf("after the grace: %v", actions)
	}
}

func TestALeaseTakenAgainBeforeItsClaimIsNotClaimed(t *testing.T) {
	g, now, ward := newGuard(ID{1}, 0), time.Unix(1_000_000, 0), ID{2}
	g.keep([]ID{ward}, now)
	g.see(ward, bus.Entry{Gone: true, Revision: 7}, now)
	g.see(ward, bus.Entry{Revision: 8}, now.Add(pace(0).claimDelay()/2))
	g.see(ward, bus.Entry{Gone: true, Revision: 7}, now.Add(pace(0).claimDelay()/2)) // the late word of an older watch
	if actions, _ := g.next(now.Add(time.Hour)); len(actions) > 0 {
		t.Errorf("claimed %v", actions)
	}
}

func TestANodeWithoutItsOwnLeaseClaimsNobody(t *testing.T) {
	now, ward := time.Now(), ID{2}
	table := &Table{guard: newGuard(ID{1}, 0), roster: roster{}}
	table.guard.keep([]ID{ward}, now.Add(-time.Hour))
	table.guard.see(ward, bus.Entry{Gone: true, Revision: 7}, now.Add(-time.Hour))
	lease := &Lease{}
	table.lease.Store(lease)
	for _, test := range []struct {
		name     string
		deadline time.Time
		stale    bool
		claims   int
	}{
		{"its lease has ended", now, false, 0},
		{"it has its lease again, and no picture yet", now.Add(LeaseTTL), true, 0},
		{"it has its lease", now.Add(LeaseTTL), false, 1},
	} {
		lease.standing.Store(&standing{deadline: test.deadline, tenure: 1})
		table.stale = test.stale
		actions, wake := table.due(now)
		if len(actions) != test.claims {
			t.Errorf("%s: it claims %v", test.name, actions)
		}
		if !wake.After(now) || wake.Sub(now) > time.Second {
			t.Errorf("%s: it looks again after %v", test.name, wake.Sub(now))
		}
	}
}
