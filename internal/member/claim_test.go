package member

import (
	"testing"

	"manta/bus"
)

func TestALeaseIsClaimedByWhoeverStandsInIt(t *testing.T) {
	id := NewID()
	for _, test := range []struct {
		name  string
		entry bus.Entry
		want  string
	}{
		{"the node's own", bus.Entry{}, ""},
		{"ended", bus.Entry{Gone: true}, ""},
		{"claimed", bus.Entry{Value: claimOf(id)}, id.String()},
		{"claimed without a name", bus.Entry{Value: []byte(claimPrefix)}, "nobody known"},
		{"something foreign", bus.Entry{Value: []byte("{}")}, "nobody known"},
	} {
		if got := claimantOf(test.entry); got != test.want {
			t.Errorf("%s: claimed by %q, want %q", test.name, got, test.want)
		}
	}
}
