package task

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// arrivals is the model of receipts: which replies have come, or are known to be kept no more.
type arrivals map[uint64]bool

// confirmed is the largest n with all of 1..n come.
func (a arrivals) confirmed() (n uint64) {
	for a[n+1] {
		n++
	}
	return n
}

// missing is the replies up to newest that have not come.
func (a arrivals) missing(newest uint64) (all []uint64) {
	for n := uint64(1); n <= newest; n++ {
		if !a[n] {
			all = append(all, n)
		}
	}
	return all
}

// listed are the numbers in spans.
func listed(spans []span) (all []uint64) {
	for _, s := range spans {
		for n := s.from; n <= s.to; n++ {
			all = append(all, n)
		}
	}
	return all
}

// Replies get lost, come again and in any order; the host counts anew now and then. Each is taken once, and what has not come is
// known to be missing as soon as a later one is known of.
func TestReceiptsKnowWhatHasCome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c receipts
		epoch, newest, come := uint64(0), uint64(0), arrivals{}
		seq := rapid.Uint64Range(1, 40)
		within := func(e uint64) {
			if e != epoch {
				epoch, newest, come = e, 0, arrivals{}
			}
		}
		reply := func(t *rapid.T) {
			n := seq.Draw(t, "reply")
			if got := c.came(epoch, n); got == come[n] {
				t.Fatalf("reply %d has come before: %v, and it was taken: %v", n, come[n], got)
			}
			come[n], newest = true, max(newest, n)
		}
		t.Repeat(map[string]func(*rapid.T){
			"a reply": func(t *rapid.T) {
				if epoch == 0 {
					within(1)
				}
				reply(t)
			},
			"the host counts anew": func(t *rapid.T) {
				within(epoch + 1)
				reply(t)
			},
			"a pong": func(t *rapid.T) {
				e := epoch + rapid.SampledFrom([]uint64{0, 0, 0, 1}).Draw(t, "epochs later")
				within(e)
				n := rapid.Uint64Range(0, 40).Draw(t, "sent")
				newest = max(newest, n)
				if got, want := c.sent(e, n), len(come.missing(newest)) == 0; got != want {
					t.Fatalf("%d were sent and %v are missing: nothing is missing: %v", n, come.missing(newest), got)
				}
			},
			"some are not kept": func(t *rapid.T) {
				from := seq.Draw(t, "from")
				to := rapid.Uint64Range(from, 45).Draw(t, "to")
				some := false
				for n := from; n <= min(to, newest); n++ {
					some = some || !come[n]
					come[n] = true
				}
				if got := c.forget(epoch, from, to); got != some {
					t.Fatalf("%d to %d are not kept, and some of them were missing: %v, want %v", from, to, got, some)
				}
			},
			"something of another epoch is not kept": func(t *rapid.T) {
				if c.forget(epoch+1, 1, 40) {
					t.Fatal("it was missing")
				}
			},
			"": func(t *rapid.T) {
				if got, want := c.confirmed(), come.confirmed(); c.epoch != epoch || got != want {
					t.Fatalf("up to %d of epoch %d is confirmed, want %d of %d", got, c.epoch, want, epoch)
				}
				if got, want := listed(c.missing), come.missing(newest); !slices.Equal(got, want) {
					t.Fatalf("%v are missing, want %v", got, want)
				}
			},
		})
	})
}

// An outbox keeps what is not confirmed while that is within keptBytes, and the newest reply in any case.
func TestAnOutboxKeepsWhatIsNotConfirmed(t *testing.T) {
	memory := make([]byte, keptBytes+keptBytes/2)
	rapid.Check(t, func(t *rapid.T) {
		o := outbox{epoch: 7}
		var kept []keptReply // by the model
		bytes := func() (sum int) {
			for _, r := range kept {
				sum += len(r.frame)
			}
			return sum
		}
		t.Repeat(map[string]func(*rapid.T){
			"a reply is sent": func(t *rapid.T) {
				size := rapid.SampledFrom([]int{100, replyBytes, keptBytes / 4, keptBytes / 2, len(memory)}).Draw(t, "size")
				o.frame, o.count, o.dirty = memory[:size], 1, true
				seq, frame := o.next()
				if len(frame) != size || o.frame != nil || o.count != 0 || o.dirty {
					t.Fatalf("%d bytes were sent of %d, and %d results are left", len(frame), size, o.count)
				}
				if n := len(kept); n > 0 && seq != kept[n-1].seq+1 {
					t.Fatalf("reply %d follows %d", seq, kept[n-1].seq)
				}
				for kept = append(kept, keptReply{seq, frame}); bytes() > keptBytes && len(kept) > 1; {
					kept = kept[1:]
				}
			},
			"some are confirmed": func(t *rapid.T) {
				seq := rapid.Uint64Range(0, o.seq+1).Draw(t, "up to")
				o.confirm(7, seq)
				kept = slices.DeleteFunc(kept, func(r keptReply) bool { return r.seq <= seq })
			},
			"some of another epoch are confirmed": func(*rapid.T) { o.confirm(6, o.seq) },
			"": func(t *rapid.T) {
				at := 0
				for seq := range o.seq + 2 {
					var want []byte
					if at < len(kept) && kept[at].seq == seq {
						want = kept[at].frame
						at++
					}
					if got := o.find(seq); len(got) != len(want) || (got == nil) != (want == nil) {
						t.Fatalf("of reply %d, %d bytes are kept, want %d", seq, len(got), len(want))
					}
				}
				if o.bytes != bytes() || at != len(kept) {
					t.Fatalf("%d bytes are counted, %d are kept", o.bytes, bytes())
				}
			},
		})
	})
}

func TestAReplyIsFullByItsResultsOrItsBytes(t *testing.T) {
	var o outbox
	for n := range 3 {
		if o.full(3) {
			t.Errorf("it is full with %d results", n)
		}
		o.add(&result{status: call.Busy})
	}
	if !o.full(3) || o.full(4) {
		t.Errorf("3 results: full for 3: %v, for 4: %v", o.full(3), o.full(4))
	}
	p := result{status: call.Done, outcome: &objstore.Outcome{Value: bus.Value{Format: bus.Bytes, Data: make([]byte, replyBytes)}}}
	if o.add(&p); !o.full(100) {
		t.Errorf("it is not full with %d bytes", len(o.frame))
	}
}

// Whatever becomes of replies, once a ping and what answers it get through, each has come once, or is known to be kept no more.
func TestWhatGotLostIsSentAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDesk(member.ID{1}, member.NewCapacity(nil), 64)
		g := &guest{function: "f", outbox: outbox{epoch: 7}}
		d.guests[g.guestKey] = g
		c := receipts{epoch: 7}
		var pipe []uint64 // replies on their way, and what became of them is drawn
		gone, come := arrivals{}, make(map[uint64]int)
		arrive := func(seq uint64) {
			if c.came(7, seq) {
				come[seq]++
			}
		}
		// answer has the desk answer a ping; what it sends arrives.
		answer := func() {
			d.publish = func(_ *guest, frame []byte) {
				m, err := readGuestMessage(frame, nil)
				if err != nil {
					t.Fatal(err)
				}
				switch m.kind {
				case replyFrame:
					arrive(m.seq)
				case goneFrame:
					for n := m.seq; n <= m.to; n++ {
						gone[n] = true
					}
					c.forget(m.epoch, m.seq, m.to)
				case pongFrame:
					c.sent(m.epoch, m.seq)
				}
			}
			m := pingMessage{laneHeader: laneHeader{epoch: 7, confirmed: c.confirmed()}, missing: c.missing}
			r, _ := bus.ReadFrame(m.append(nil))
			if err := d.handlePing("f", "reply", r, 0); err != nil {
				t.Fatalf("a ping for %v: %v", c.missing, err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"a reply is sent": func(*rapid.T) {
				g.outbox.add(&result{status: call.Busy})
				seq, frame := g.outbox.next()
				guestHeader{epoch: 7, seq: seq}.put(frame, replyFrame)
				pipe = append(pipe, seq)
			},
			"the oldest is not kept": func(t *rapid.T) {
				if g.outbox.kept() < 2 {
					t.Skip("the newest is kept in any case")
				}
				g.outbox.drop() // as it is when too many bytes are kept
			},
			"one arrives": func(t *rapid.T) {
				if len(pipe) == 0 {
					t.Skip("none is on its way")
				}
				i := rapid.IntRange(0, len(pipe)-1).Draw(t, "which")
				arrive(pipe[i])
				if !rapid.Bool().Draw(t, "and once more later") {
					pipe = slices.Delete(pipe, i, i+1)
				}
			},
			"one is lost": func(t *rapid.T) {
				if len(pipe) == 0 {
					t.Skip("none is on its way")
				}
				i := rapid.IntRange(0, len(pipe)-1).Draw(t, "which")
				pipe = slices.Delete(pipe, i, i+1)
			},
			"a ping": func(*rapid.T) { answer() },
		})
		answer() // which says how many were sent
		answer() // and this brings those that were missing
		if got := c.confirmed(); got != g.outbox.seq || len(c.missing) > 0 {
			t.Fatalf("%d of %d are confirmed, %v are missing", got, g.outbox.seq, c.missing)
		}
		for seq := uint64(1); seq <= g.outbox.seq; seq++ {
			if come[seq] > 1 || come[seq] == 0 && !gone[seq] {
				t.Fatalf("reply %d was taken %d times, gone: %v", seq, come[seq], gone[seq])
			}
		}
	})
}

// keptReply is a reply in the model of an outbox.
type keptReply struct {
	seq   uint64
	frame []byte
}

// A frame in a host's name that is not the host's speaks of replies that never were. They must not be waited for.
func TestReceiptsBelieveTheHostsWordOnItsNewestReply(t *testing.T) {
	c := receipts{epoch: 7}
	for seq := range uint64(3) {
		c.came(7, seq+1)
	}
	c.came(7, 1<<40)
	c.atMost(6, 1) // of another counting
	if c.newest != 1<<40 || c.sent(7, 3) {
		t.Fatalf("it has %+v", c)
	}
	c.atMost(7, 3)
	if !c.sent(7, 3) || c.confirmed() != 3 || !c.came(7, 4) {
		t.Errorf("it has %+v", c)
	}
	c.came(7, 8) // 5 to 7 are missing
	c.atMost(7, 6)
	if c.newest != 6 || len(c.missing) != 1 || c.missing[0] != (span{5, 6}) {
		t.Errorf("it has %+v", c)
	}
}

// A frame in an owner's name that is not the owner's may say another reply subject. The owner's next ping says the right one.
func TestAPingIsAnsweredWhereItSays(t *testing.T) {
	d, _ := openDesk(t, 1)
	var subjects []string
	d.publish = func(g *guest, _ []byte) { subjects = append(subjects, g.reply) }
	head := laneHeader{owner: member.ID{2}, generation: 1}
	if err := d.handle("f", "elsewhere", true, tasksOf(head, 1), time.Second); err != nil {
		t.Fatal(err)
	}
	ping := pingMessage{laneHeader: head, tick: 1}
	if err := d.handle("f", "owner", true, ping.append(nil), time.Second); err != nil {
		t.Fatal(err)
	}
	if len(subjects) == 0 || subjects[len(subjects)-1] != "owner" {
		t.Errorf("the answers went to %v", subjects)
	}
}
