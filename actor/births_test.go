package actor

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"manta/objstore"
)

// Requests come late, twice or never, and are asked about at any time: once a host has said that it made no actor it never does, and what it says of
// one that it made stays so.
func TestAHostKeepsItsWordAboutARequest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBirths()
		a := attempt{objstore.ID{1}, 1}
		lives, made, denied, failed := false, false, false, errors.New("it did not start")
		var failure error
		t.Repeat(map[string]func(*rapid.T){
			"come": func(t *rapid.T) {
				if made { // a message comes once
					return
				}
				if accepted := b.begin(a); accepted == denied {
					t.Fatalf("accepted: %v, after it was denied: %v", accepted, denied)
				} else if accepted {
					if state, _ := b.ask(a, func() bool { return false }); state != awaited {
						t.Fatalf("under way, and it says %v", state)
					}
					lives = rapid.Bool().Draw(t, "there is room")
					made = lives
					b.answered(a)
				}
			},
			"end": func(t *rapid.T) {
				if lives {
					if rapid.Bool().Draw(t, "it did not start") {
						failure = failed
					}
					b.end(a, failure)
					lives = false
				}
			},
			"ask": func(t *rapid.T) {
				state, err := b.ask(a, func() bool { return lives })
				want := unborn
				switch {
				case made && failure != nil:
					want = stillborn
				case made:
					want = wasBorn
				}
				if state != want || err != failure {
					t.Fatalf("it says %v, %v, want %v, %v", state, err, want, failure)
				}
				denied = denied || state == unborn
			},
			"": func(*rapid.T) {},
		})
	})
}

func TestAHostForgetsRequestsAfterAWhile(t *testing.T) {
	b := newBirths()
	for n := range uint16(1000) {
		b.end(attempt{number: n}, nil)
		b.ask(attempt{objstore.ID{1}, n}, func() bool { return false })
		if n%10 == 9 {
			b.age()
		}
	}
	if n := len(b.ended.fresh) + len(b.ended.old) + len(b.forgone.fresh) + len(b.forgone.old); n > 40 {
		t.Errorf("%d are kept", n)
	}
	if _, kept := b.ended.find(attempt{number: 999}); !kept {
		t.Error("the latest is not kept")
	}
}
