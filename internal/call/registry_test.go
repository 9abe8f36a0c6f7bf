package call_test

import (
	"slices"
	"testing"

	"manta/internal/call"
)

func TestANameIsTakenOnceInARegistryAndAKind(t *testing.T) {
	type (
		dog string
		cat string
	)
	var here, there call.Registry
	if taken := call.Register(&here, "rex", "a.go:1", dog("first")); taken != "" {
		t.Errorf("the name is taken at %q in an empty registry", taken)
	}
	if taken := call.Register(&here, "rex", "b.go:2", dog("second")); taken != "a.go:1" {
		t.Errorf("the second of one name: taken at %q, want the place of the first", taken)
	}
	if taken := call.Register(&here, "rex", "c.go:3", cat("another kind")); taken != "" {
		t.Errorf("another kind: taken at %q", taken)
	}
	if taken := call.Register(&there, "rex", "d.go:4", dog("another registry")); taken != "" {
		t.Errorf("another registry: taken at %q", taken)
	}
	call.Register(&here, "bello", "e.go:5", dog("third"))

	if d, ok := call.Lookup[dog](&here, "rex"); !ok || d != "first" {
		t.Errorf("found %q, %v", d, ok)
	}
	if c, ok := call.Lookup[cat](&here, "bello"); ok {
		t.Errorf("found %q under a name of another kind", c)
	}
	if names := call.Names[dog](&here); !slices.Equal(names, []string{"bello", "rex"}) {
		t.Errorf("its names are %q", names)
	}
	if names := call.Names[int](&there); len(names) != 0 {
		t.Errorf("of a kind that it does not hold: %q", names)
	}
}
