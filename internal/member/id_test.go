package member_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"manta/bus"
	"manta/internal/member"
)

func TestAnIDIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Make[member.ID]().Draw(t, "id")
		text := want.String()
		for _, s := range []string{text, strings.ToUpper(text)} {
			if got, err := member.ParseID(s); err != nil || got != want {
				t.Fatalf("%s was read as %v, %v", s, got, err)
			}
		}
		if len(text) != 13 || bus.CheckName("node", text) != nil {
			t.Fatalf("%q cannot stand in a subject", text)
		}
	})
}

func TestWhatIsNoIDIsRefusedWithItsText(t *testing.T) {
	for _, s := range []string{"", "0", "0000000000009", "000000000000", "00000000000000", "zzzzzzzzzzzzz", "0000 00000000", "日本語"} {
		if _, err := member.ParseID(s); err == nil || !strings.Contains(err.Error(), "node id") {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestFreshIDsDiffer(t *testing.T) {
	seen := make(map[member.ID]bool)
	for range 1000 {
		id := member.NewID()
		if seen[id] {
			t.Fatalf("%s came twice", id)
		}
		seen[id] = true
	}
}
