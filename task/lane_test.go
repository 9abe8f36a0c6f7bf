package task

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"manta/internal/member"
)

// laneModel does with a lane what its owner does, in any order, and keeps its own books of what is where.
type laneModel struct {
	lane    *lane
	windows map[member.ID]int           // of the nodes that are there
	at      map[member.ID][]*submission // under way at each of them
	waiting []*submission               // in the backlog
	door    *submission
	refused bool // the last word was no
	all     int  // without an outcome yet
}

func newLaneModel() *laneModel {
	return &laneModel{lane: newLane(nil), windows: make(map[member.ID]int), at: make(map[member.ID][]*submission)}
}

// drawNode draws a node, there or not.
func drawNode(t *rapid.T) member.ID { return member.ID{rapid.ByteRange(1, 4).Draw(t, "node")} }

func drawWindow(t *rapid.T) int { return rapid.IntRange(0, 5).Draw(t, "window") }

// drawRunning takes a submission that is at a node out of the books.
func (m *laneModel) drawRunning(t *rapid.T) (s *submission, node member.ID) {
	var busy []member.ID
	for id, there := range m.at {
		if len(there) > 0 {
			busy = append(busy, id)
		}
	}
	if len(busy) == 0 {
		t.Skip("nothing is under way")
	}
	slices.SortFunc(busy, func(a, b member.ID) int { return slices.Compare(a[:], b[:]) })
	node = rapid.SampledFrom(busy).Draw(t, "at")
	i := rapid.IntRange(0, len(m.at[node])-1).Draw(t, "which")
	s = m.at[node][i]
	m.at[node] = slices.Delete(m.at[node], i, i+1)
	return s, node
}

func (m *laneModel) underWay() (n int) {
	for _, there := range m.at {
		n += len(there)
	}
	if m.door != nil {
		n++
	}
	return n
}

func (m *laneModel) takeBack(s *submission) { m.waiting = append(m.waiting, s) }

func (m *laneModel) submit(*rapid.T) {
	s := &submission{}
	m.lane.backlog.push(s)
	m.waiting = append(m.waiting, s)
	m.all++
}

// next sends one task, if the lane wants to, and checks that it may.
func (m *laneModel) next(t *rapid.T) (sent bool) {
	s, node, ok := m.lane.next()
	if !ok {
		return false
	}
	i := slices.Index(m.waiting, s)
	if i < 0 {
		t.Fatal("a task was sent that was not waiting")
	}
	m.waiting = slices.Delete(m.waiting, i, i+1)
	if node == (member.ID{}) {
		if m.underWay() > 0 || m.refused {
			t.Fatalf("a task knocks while %d are under way, refused: %v", m.underWay(), m.refused)
		}
		m.door = s
		return true
	}
	window, there := m.windows[node]
	if !there || len(m.at[node]) >= window {
		t.Fatalf("a task was sent to %v, which has %d of %d, there: %v", node, len(m.at[node]), window, there)
	}
	m.at[node] = append(m.at[node], s)
	return true
}

func (m *laneModel) join(t *rapid.T) {
	node, window := drawNode(t), drawWindow(t)
	m.lane.join(node, window)
	if _, there := m.windows[node]; !there {
		m.windows[node] = window
	}
}

// leave loses a node: its owner sends again what was there.
func (m *laneModel) leave(t *rapid.T) {
	node := drawNode(t)
	for _, s := range m.at[node] {
		m.lane.backlog.pushFront(s)
		m.takeBack(s)
	}
	m.lane.leave(node)
	delete(m.at, node)
	delete(m.windows, node)
}

func (m *laneModel) accepted(t *rapid.T) {
	if m.door == nil {
		t.Skip("nothing knocks")
	}
	node, window := drawNode(t), drawWindow(t)
	m.lane.accepted(node, window)
	m.windows[node], m.at[node] = window, append(m.at[node], m.door)
	m.door, m.refused = nil, false
}

func (m *laneModel) done(t *rapid.T) {
	_, node := m.drawRunning(t)
	window := drawWindow(t)
	m.lane.done(node, window)
	m.windows[node], m.refused = window, false
	m.all--
}

func (m *laneModel) busy(t *rapid.T) {
	s, node := m.drawRunning(t)
	window := drawWindow(t)
	m.lane.busy(s, node, window, false)
	m.windows[node], m.refused = min(window, len(m.at[node])), true
	m.takeBack(s)
}

func (m *laneModel) busyAtTheDoor(t *rapid.T) {
	if m.door == nil {
		t.Skip("nothing knocks")
	}
	node, window := drawNode(t), drawWindow(t)
	m.lane.busy(m.door, node, window, true)
	m.windows[node], m.refused = min(window, len(m.at[node])), true
	m.takeBack(m.door)
	m.door = nil
}

func (m *laneModel) unanswered(t *rapid.T) {
	s := m.lane.unanswered()
	if s != m.door {
		t.Fatal("the door gave back another task than the one that knocked")
	}
	if m.refused = true; s != nil {
		m.lane.backlog.pushFront(s)
		m.takeBack(s)
	}
	m.door = nil
}

func (m *laneModel) offer(t *rapid.T) {
	node := drawNode(t)
	m.lane.offer(node)
	if _, there := m.windows[node]; there {
		m.windows[node] = max(m.windows[node], len(m.at[node])+1)
	}
}

func (m *laneModel) probe(*rapid.T) {
	m.lane.probe()
	m.refused = false
	for node := range m.windows {
		m.windows[node] = max(m.windows[node], len(m.at[node])+1)
	}
}

// pump sends what there is room for, and checks that what still waits has a reason to.
func (m *laneModel) pump(t *rapid.T) {
	for m.next(t) {
	}
	if len(m.waiting) == 0 || m.underWay() > 0 {
		return
	}
	if !m.refused {
		t.Fatal("an idle lane with a backlog does not knock")
	}
	for node, window := range m.windows {
		if window > 0 {
			t.Fatalf("tasks wait, nothing is under way, and %v has room for %d", node, window)
		}
	}
}

// check compares the books.
func (m *laneModel) check(t *rapid.T) {
	if len(m.waiting)+m.underWay() != m.all {
		t.Fatalf("%d wait and %d are under way, want %d in all", len(m.waiting), m.underWay(), m.all)
	}
	if m.lane.refused != m.refused {
		t.Fatalf("the lane takes the last word for a no: %v, want %v", m.lane.refused, m.refused)
	}
	if m.lane.door != m.door || len(m.lane.peers) != len(m.windows) || len(m.lane.order) != len(m.windows) {
		t.Fatalf("the lane knows %d peers in an order of %d, want %d", len(m.lane.peers), len(m.lane.order), len(m.windows))
	}
	for node, p := range m.lane.peers {
		if p.inflight < 0 || p.inflight != len(m.at[node]) {
			t.Fatalf("%d are in flight at %v, want %d", p.inflight, node, len(m.at[node]))
		}
		if p.window != m.windows[node] {
			t.Fatalf("the window at %v is %d, want %d", node, p.window, m.windows[node])
		}
	}
}

func TestALaneLosesNothingAndKeepsItsWindowsUnderAnySchedule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newLaneModel()
		t.Repeat(map[string]func(*rapid.T){
			"submit": m.submit, "next": func(t *rapid.T) { m.next(t) }, "pump": m.pump,
			"join": m.join, "leave": m.leave, "accepted": m.accepted, "done": m.done,
			"busy": m.busy, "busy at the door": m.busyAtTheDoor, "unanswered": m.unanswered,
			"offer": m.offer, "probe": m.probe, "": m.check,
		})
		left := 0
		for _, s := range m.lane.backlog.drain() {
			if !slices.Contains(m.waiting, s) {
				t.Fatal("a task was in the backlog that should not be")
			}
			left++
		}
		if left != len(m.waiting) {
			t.Fatalf("%d tasks were in the backlog, want %d", left, len(m.waiting))
		}
	})
}

func TestEveryTaskEndsWhenNodesKeepAnswering(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newLaneModel()
		for range rapid.IntRange(1, 50).Draw(t, "tasks") {
			m.submit(t)
		}
		for range rapid.IntRange(0, 4).Draw(t, "nodes") {
			m.join(t)
		}
		for range 1000 { // far more than 50 tasks need, even one at a time
			if m.all == 0 {
				return
			}
			m.pump(t)
			switch {
			case m.door != nil:
				m.accepted(t)
			case m.underWay() > 0:
				m.done(t)
			default:
				m.probe(t)
			}
		}
		t.Fatalf("%d tasks have not ended", m.all)
	})
}

func TestEqualNodesGetEqualShares(t *testing.T) {
	m := newLane(nil)
	shares := make(map[member.ID]int)
	for i := range 3 {
		m.join(member.ID{byte(i + 1)}, 10)
	}
	m.refused = true // no knock
	for range 30 {
		m.backlog.push(&submission{})
	}
	for _, node, ok := m.next(); ok; _, node, ok = m.next() {
		shares[node]++
	}
	for node, n := range shares {
		if n != 10 || len(shares) != 3 {
			t.Errorf("%v got %d of 30 tasks, want 10", node, n)
		}
	}
}

func TestEqualNodesTakeTurns(t *testing.T) {
	l := newLane(nil)
	shares := make(map[member.ID]int)
	for i := range 3 {
		l.join(member.ID{byte(i + 1)}, 2)
	}
	l.door = &submission{} // a knock that lasts: the lane is not idle
	for range 30 {         // one task at a time, so that the nodes are always equal
		l.backlog.push(&submission{})
		_, node, _ := l.next()
		shares[node]++
		l.done(node, 2)
	}
	if len(shares) != 3 || shares[member.ID{1}] != 10 || shares[member.ID{2}] != 10 {
		t.Errorf("the nodes got %v of 30 tasks, want 10 each", shares)
	}
}

func TestSlowNodesGetWhatTheyHaveRoomFor(t *testing.T) {
	l := newLane(nil)
	fast, slow := member.ID{1}, member.ID{2}
	l.join(fast, 8)
	l.join(slow, 2)
	l.refused = true // no knock
	for range 20 {
		l.backlog.push(&submission{})
	}
	shares := make(map[member.ID]int)
	for _, node, ok := l.next(); ok; _, node, ok = l.next() {
		shares[node]++
	}
	if shares[fast] != 8 || shares[slow] != 2 {
		t.Errorf("the fast node got %d, the slow one %d; want 8 and 2", shares[fast], shares[slow])
	}
}

func TestAKnockingTaskKeepsOneSlotFree(t *testing.T) {
	l := newLane(nil)
	l.join(member.ID{1}, 2)
	for range 3 {
		l.backlog.push(&submission{})
	}
	if _, node, ok := l.next(); !ok || node != (member.ID{}) {
		t.Fatalf("the first task went to %v, %v; want to the door", node, ok)
	}
	if _, node, ok := l.next(); !ok || node != (member.ID{1}) {
		t.Fatalf("the second task went to %v, %v; want to the node", node, ok)
	}
	if _, node, ok := l.next(); ok {
		t.Errorf("the third task went to %v: the knocking one may need that slot", node)
	}
}

func TestACancelledTaskIsNotSent(t *testing.T) {
	l := newLane(nil)
	cancelled, wanted := &submission{cancelled: true}, &submission{}
	l.backlog.push(cancelled)
	l.backlog.push(wanted)
	if s, _, ok := l.next(); !ok || s != wanted {
		t.Errorf("the lane sent %p, %v; want %p", s, ok, wanted)
	}
}
