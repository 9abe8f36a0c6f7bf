package member

import (
	"testing"
	"time"
)

// claims are Generations that tell what they ask.
func claims(asked *[]uint64) *Generations {
	return &Generations{self: ID{9}, own: func() uint64 { return 3 }, ask: func(_ ID, claimed uint64) { *asked = append(*asked, claimed) }}
}

type frame struct {
	number uint64
	now    time.Duration
	late   bool
	forged bool
}

func expect(t *testing.T, g *Generations, owner ID, frames ...frame) {
	t.Helper()
	for i, f := range frames {
		late, err := g.Late(owner, f.number, f.now)
		if late != f.late || (err != nil) != f.forged {
			t.Errorf("frame %d: late is %v, %v", i, late, err)
		}
	}
}

func TestAFrameOfAnOlderConnectionIsLate(t *testing.T) {
	var asked []uint64
	g := claims(&asked)
	expect(t, g, ID{1}, frame{number: 1}, frame{number: 2, now: 1}, frame{number: 1, now: 2, late: true})
	if len(asked) != 1 || asked[0] != 2 {
		t.Errorf("the node was asked about %v", asked)
	}
	if err := g.told(ID{1}, 2, 2); err != nil {
		t.Error(err)
	}
	expect(t, g, ID{1}, frame{number: 1, now: time.Hour, late: true}, frame{number: 2, now: time.Hour})
	expect(t, g, ID{2}, frame{number: 1}) // another's
}

func TestAGenerationThatItsNodeDeniesShutsNobodyOut(t *testing.T) {
	var asked []uint64
	g := claims(&asked)
	expect(t, g, ID{1}, frame{number: 1}, frame{number: 8, now: 1}, frame{number: 1, now: 2, late: true})
	if err := g.told(ID{1}, 8, 1); err == nil {
		t.Error("the claim was not denied")
	}
	expect(t, g, ID{1}, frame{number: 1, now: 3}, frame{number: 9, now: 4, forged: true}, frame{number: 1, now: 5},
		frame{number: 2, now: claimPause + 5}, frame{number: 1, now: claimPause + 6, late: true})
	if len(asked) != 2 {
		t.Errorf("the node was asked about %v", asked)
	}
}

func TestAGenerationOfWhichItsNodeSaysNothingIsNotBelievedForLong(t *testing.T) {
	var asked []uint64
	g := claims(&asked)
	expect(t, g, ID{1}, frame{number: 8}, frame{number: 1, now: claimFor, late: true}, frame{number: 1, now: claimFor + 1})
	if err := g.told(ID{2}, 8, 8); err != nil || len(g.of) != 1 {
		t.Errorf("a node of which nothing was heard: %v, %d are known", err, len(g.of))
	}
}

func TestAClaimThatIsNewerThanTheQuestionIsNotDeniedByItsAnswer(t *testing.T) {
	var asked []uint64
	g := claims(&asked)
	expect(t, g, ID{1}, frame{number: 2}, frame{number: 3})
	if err := g.told(ID{1}, 2, 2); err != nil {
		t.Error(err)
	}
	expect(t, g, ID{1}, frame{number: 2, late: true}, frame{number: 3})
	if err := g.told(ID{1}, 3, 5); err != nil { // and it has gone on meanwhile
		t.Error(err)
	}
	expect(t, g, ID{1}, frame{number: 4, late: true}, frame{number: 5})
}

func TestANodeKnowsItsOwnGeneration(t *testing.T) {
	var asked []uint64
	g := claims(&asked)
	expect(t, g, ID{9}, frame{number: 2}, frame{number: 4, forged: true}, frame{number: 2}, frame{number: 3}, frame{number: 2, late: true})
	if len(asked) > 0 {
		t.Errorf("it asked itself about %v", asked)
	}
}
