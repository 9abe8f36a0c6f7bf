package member_test

import (
	"testing"

	"manta/internal/member"
)

// furnished is a node of 10 CPUs with bundles of group G: 2 CPUs in bundle 0, 3 in bundle 1.
func furnished(t *testing.T) (c *member.Capacity, offered member.Amounts) {
	t.Helper()
	c = member.NewCapacity(member.Amounts{member.CPU: 10})
	if !c.Take(member.Amounts{member.CPU: 5}) {
		t.Fatal("5 of 10 are not free")
	}
	offered = member.Bundle{Group: "G", Index: 0}.Amounts(member.Amounts{member.CPU: 2}).
		Plus(member.Bundle{Group: "G", Index: 1}.Amounts(member.Amounts{member.CPU: 3}))
	c.Furnish(offered)
	return c, offered
}

func in(index int, cpus int64) member.Amounts {
	return member.Bundle{Group: "G", Index: index}.Need(member.Amounts{member.CPU: cpus})
}

func TestWhatIsTakenOfABundleIsTakenOfItsGroup(t *testing.T) {
	c, _ := furnished(t)
	steps := []struct {
		need member.Amounts
		fits bool
	}{
		{in(0, 3), false},                 // more than the bundle has
		{in(0, 2), true},                  //
		{in(0, 1), false},                 // it is taken
		{in(member.AnyBundle, 4), false},  // 3 are left
		{in(member.AnyBundle, 2), true},   //
		{in(1, 2), false},                 // 1 is left of the group
		{in(2, 1), false},                 // not here
		{in(1, 1), true},                  //
		{member.Amounts{"CPU": 6}, false}, // the node's own are apart
		{member.Amounts{"CPU": 5}, true},  //
	}
	for i, s := range steps {
		if got := c.Take(s.need); got != s.fits {
			t.Errorf("step %d: taking %v is %v, want %v", i, s.need, got, s.fits)
		}
	}
}

func TestAWithdrawnBundleIsTheNodesAgainAsItsHoldersGiveItBack(t *testing.T) {
	c, offered := furnished(t)
	if !c.Take(in(1, 3)) {
		t.Fatal("the bundle is not free")
	}
	c.Withdraw(offered)
	if free := c.Free(); !free.Equal(member.Amounts{member.CPU: 7}) || !c.Ending("G") {
		t.Errorf("%v is free while 3 are held, want CPU:7 in 1/10,000", free)
	}
	c.Give(in(1, 3))
	if free := c.Free(); !free.Equal(member.Amounts{member.CPU: 10}) || c.Ending("G") {
		t.Errorf("%v is free in the end", free)
	}
}

func TestWhoStandsInLineForAWithdrawnBundleGoesOn(t *testing.T) {
	c, offered := furnished(t)
	lent := in(0, 2).CPUs()
	if !c.Take(in(0, 2)) {
		t.Fatal("the bundle is not free")
	}
	c.Give(lent) // it waits
	if !c.Take(in(0, 2)) {
		t.Fatal("what is lent is not free")
	}
	resumed := 0
	c.Retake(lent, func() { resumed++ })
	if resumed > 0 {
		t.Fatal("it goes on with what another has")
	}
	c.Withdraw(offered)
	if resumed != 1 {
		t.Errorf("it went on %d times, want once", resumed)
	}
	c.Give(in(0, 2))
	c.Give(in(0, 2))
	if free := c.Free(); !free.Equal(member.Amounts{member.CPU: 10}) {
		t.Errorf("%v is free in the end", free)
	}
}
