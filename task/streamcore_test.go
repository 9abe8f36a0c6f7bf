package task

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
)

// pipe is both ends of a stream in virtual time, and the frames between them: in order, unless they get lost.
type pipe struct {
	out      emission
	in       intake
	header   streamHeader
	sizes    []int // of all items that the function produces, in every attempt
	now      moment
	there    []producerMessage // on their way to the consumer
	back     []addressed       // on their way to the producer
	got      []uint64          // items handed out
	returned bool              // the function has; the outcome follows once all has come
}

type addressed struct {
	attempt int
	credit  credit
}

func newPipe(w window, sizes []int) *pipe {
	p := &pipe{sizes: sizes, now: 1, header: streamHeader{member.ID{1}, 1}}
	p.out, p.in = newEmission(w, 1, p.now), intake{window: w}
	return p
}

// produce lets the function yield once, if it may. It returns false if it has to wait.
func (p *pipe) produce() bool {
	if p.returned || !p.out.started {
		return false
	}
	if n := int(p.out.produced); n == len(p.sizes) {
		p.returned = true
		if !p.out.complete() {
			p.out.wait(p.now)
			p.there = append(p.there, p.question())
		}
		return true
	} else if n >= int(p.out.sent) && !p.out.room(p.sizes[n]) {
		p.out.wait(p.now)
		return false
	}
	p.out.waiting = false
	if p.out.pass() {
		return true
	}
	seq := p.out.sent + 1
	i := item{seq: seq, outcome: objstore.Outcome{Value: bus.Value{Format: bus.Bytes, Data: make([]byte, p.sizes[seq-1])}}}
	p.out.add(parcel{[]byte{1}, i, i.size()}, p.now)
	p.there = append(p.there, producerMessage{streamHeader: p.header, kind: itemFrame, item: i})
	return true
}

func (p *pipe) question() producerMessage {
	return producerMessage{streamHeader: p.header, kind: questionFrame, sent: p.out.sent}
}

// arriveThere delivers a frame to the consumer.
func (p *pipe) arriveThere() {
	m := p.there[0]
	p.there = p.there[1:]
	if p.in.late(m.streamHeader) {
		return
	}
	p.in.heed(m.streamHeader)
	if m.kind == questionFrame {
		p.tell(p.in.asked(m.sent))
	} else if p.in.came(m.item) {
		p.tell(p.in.credit(true))
	}
}

func (p *pipe) tell(c credit) { p.back = append(p.back, addressed{p.in.attempt, c}) }

// arriveBack delivers a frame to the producer.
func (p *pipe) arriveBack() {
	c := p.back[0]
	p.back = p.back[1:]
	if c.attempt != p.header.attempt {
		return
	}
	for _, again := range p.out.credit(c.credit, p.now) {
		p.there = append(p.there, producerMessage{streamHeader: p.header, kind: itemFrame, item: again.item})
	}
}

// consume takes an item, if one is there.
func (p *pipe) consume() bool {
	i := p.in.next()
	if i == nil {
		return false
	}
	p.got = append(p.got, i.seq)
	if p.in.take(i.seq) {
		p.tell(p.in.credit(false))
	}
	return true
}

// pass lets time pass.
func (p *pipe) pass(d moment) {
	p.now += d
	if ask, _ := p.out.look(p.now); ask {
		p.there = append(p.there, p.question())
	}
}

// restart is the death of the producer's node, and the next attempt on another one.
func (p *pipe) restart() {
	p.header.attempt++
	p.header.host[0]++
	p.out = newEmission(p.out.window, p.header.attempt, p.now)
	p.returned = false
	p.there = append(p.there, p.question())
}

func (p *pipe) check(t *rapid.T) {
	for i, seq := range p.got {
		if seq != uint64(i+1) {
			t.Fatalf("items %v were handed out", p.got)
		}
	}
	if !p.out.started {
		return
	}
	ahead, size := 0, 0
	for n := p.in.taken; n < p.out.sent; n++ {
		ahead++
		size += p.sizes[n]
	}
	if ahead > p.out.ahead || size > p.out.bytes && ahead > 1 {
		t.Fatalf("%d items of %d bytes are ahead, want at most %d of %d", ahead, size, p.out.ahead, p.out.bytes)
	}
	if p.out.taken > p.in.taken || p.out.received > p.in.received {
		t.Fatalf("the producer takes %d for received and %d for taken, it is %d and %d", p.out.received, p.out.taken, p.in.received, p.in.taken)
	}
}

// Frames get lost in both directions, the producer's node dies, everything happens in any order: each item is handed out once, in order, and the
// producer is never further ahead than it may be. When losses end, all that the function produces comes, and the producer knows.
func TestAStreamBringsEachItemOnceWhateverGetsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := window{rapid.IntRange(1, 8).Draw(t, "ahead"), rapid.IntRange(1, 100).Draw(t, "bytes")}
		p := newPipe(w, rapid.SliceOfN(rapid.IntRange(0, 60), 0, 40).Draw(t, "sizes"))
		t.Repeat(map[string]func(*rapid.T){
			"produce": func(*rapid.T) { p.produce() },
			"consume": func(*rapid.T) { p.consume() },
			"arrive there": func(t *rapid.T) {
				if len(p.there) == 0 {
					t.Skip()
				}
				p.arriveThere()
			},
			"arrive back": func(t *rapid.T) {
				if len(p.back) == 0 {
					t.Skip()
				}
				p.arriveBack()
			},
			"lose": func(t *rapid.T) {
				if len(p.there) > 0 && rapid.Bool().Draw(t, "an item") {
					p.there = p.there[1:]
				} else if len(p.back) > 0 {
					p.back = p.back[1:]
				}
			},
			"time":    func(t *rapid.T) { p.pass(moment(rapid.IntRange(0, int(2*questionMost)).Draw(t, "passes"))) },
			"restart": func(t *rapid.T) { p.restart() },
			"":        p.check,
		})
		for steps := 0; len(p.got) < len(p.sizes) || !p.returned || !p.out.complete(); steps++ {
			if steps > 10_000 {
				t.Fatalf("%d of %d items came, and it goes no further: %+v, %+v", len(p.got), len(p.sizes), p.out, p.in)
			}
			for p.produce() {
			}
			for len(p.there) > 0 {
				p.arriveThere()
			}
			for p.consume() {
			}
			for len(p.back) > 0 {
				p.arriveBack()
			}
			p.check(t)
			p.pass(questionFirst)
		}
	})
}

func TestAConsumerThatIsSilentIsGivenUp(t *testing.T) {
	const begun = moment(24 * time.Hour) // the node is not new
	for _, c := range []struct {
		name    string
		attempt int
		absent  bool
		want    moment
	}{
		{"silent", 1, false, consumerSilent},
		{"absent", 1, true, consumerAbsent},
		{"silent from the beginning of an attempt", 2, false, consumerSilent},
		{"absent from the beginning of an attempt", 2, true, consumerAbsent},
	} {
		e := newEmission(window{1, 1}, c.attempt, begun)
		if c.attempt == 1 {
			if ask, gone := e.look(begun + time.Hour); ask || gone {
				t.Errorf("%s: nothing is needed, and it asks %v or gives up %v", c.name, ask, gone)
			}
			e.add(parcel{frame: []byte{1}}, begun)
		}
		e.absent = c.absent
		now, asked := begun, 0
		for ; now < begun+2*consumerSilent; now += lookAtStreams {
			ask, gone := e.look(now)
			if ask {
				asked++
			}
			if gone {
				break
			}
		}
		if now-begun != c.want || asked < int(c.want/questionMost) {
			t.Errorf("%s: it is given up after %v and %d questions, want %v", c.name, now-begun, asked, c.want)
		}
	}
}

func TestFramesOfStreamsTravelWhole(t *testing.T) {
	d := descriptor{window{3, 4}, 5, "a.b"}
	if got, err := readDescriptor(d.value()); err != nil || got != d {
		t.Errorf("got %+v, %v", got, err)
	}
	rapid.Check(t, func(t *rapid.T) {
		key := producerKey{member.ID{9}, rapid.Uint64().Draw(t, "stream"), rapid.IntRange(0, 1<<16).Draw(t, "attempt")}
		want := credit{received: rapid.Uint64().Draw(t, "received"), buffered: rapid.Uint64().Draw(t, "buffered"),
			again: rapid.Bool().Draw(t, "again"), stop: rapid.Bool().Draw(t, "stop")}
		want.taken = rapid.Uint64Range(0, want.received).Draw(t, "taken")
		gotKey, got, err := readCredit(want.appendTo(nil, key))
		if err != nil || got != want || gotKey != key {
			t.Fatalf("got %+v of %+v, %v, want %+v of %+v", got, gotKey, err, want, key)
		}
	})
}

// No bytes make a reader panic, and none that a producer or consumer can be told harm its state.
func FuzzStreamFrames(f *testing.F) {
	f.Add(credit{received: 3, taken: 1, again: true}.appendTo(nil, producerKey{member.ID{1}, 1, 1}))
	f.Add(bus.AppendUint(streamHeader{member.ID{1}, 2}.appendTo(nil, questionFrame), 7))
	i := item{seq: 1, outcome: objstore.Outcome{Value: bus.Value{Format: bus.Text, Data: []byte("x")}}}
	f.Add(i.appendTo(streamHeader{member.ID{1}, 1}.appendTo(nil, itemFrame)))
	f.Fuzz(func(t *testing.T, frame []byte) {
		if _, c, err := readCredit(frame); err == nil {
			for _, attempt := range []int{1, 2} {
				e := newEmission(window{2, 10}, attempt, 1)
				for range 3 {
					if e.room(3) {
						e.add(parcel{frame: []byte{1}, size: 3}, 1)
					}
					e.credit(c, 2)
				}
				if len(e.kept) != int(e.sent-e.taken) || e.size < 0 {
					t.Fatalf("%+v", e)
				}
			}
		}
		if m, err := readProducerMessage(frame); err == nil {
			in := intake{window: window{2, 10}}
			in.heed(m.streamHeader)
			in.came(m.item)
			in.asked(m.sent)
			if i := in.next(); i != nil {
				in.take(i.seq)
			}
		}
		_, _ = readDescriptor(bus.Value{Data: frame})
	})
}
