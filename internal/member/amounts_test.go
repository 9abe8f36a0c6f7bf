package member_test

import (
	"maps"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"manta/internal/member"
)

func TestFractionsAreExactToOneTenThousandth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.MapOf(rapid.StringN(1, 5, -1).Filter(isForUsers), rapid.Int64Range(1, 1<<40)).Draw(t, "counts")
		quantities := make(map[string]float64)
		for name, n := range counts {
			quantities[name] = float64(n) / 10_000
		}
		amounts, err := member.NewAmounts(quantities)
		if err != nil || !maps.Equal(amounts, counts) {
			t.Fatalf("%v became %v, %v", quantities, amounts, err)
		}
		if back := amounts.Quantities(); !maps.Equal(back, quantities) {
			t.Fatalf("%v came back as %v", quantities, back)
		}
	})
}

func isForUsers(name string) bool { return !strings.Contains(name, "@") }

func TestANameThatIsKeptForBundlesIsRefused(t *testing.T) {
	if _, err := member.NewAmounts(map[string]float64{"CPU@G": 1}); err == nil || !strings.Contains(err.Error(), `"CPU@G"`) {
		t.Errorf("the error is %v, want one that names it", err)
	}
}

func TestAQuantityThatIsNoAmountIsRefusedByName(t *testing.T) {
	for _, q := range []float64{-1, -1e-9, math.NaN(), math.Inf(1), math.Inf(-1), 1e15} {
		if _, err := member.NewAmounts(map[string]float64{"CPU": 1, "gpu": q}); err == nil || !strings.Contains(err.Error(), `"gpu"`) {
			t.Errorf("%v of gpu: %v", q, err)
		}
	}
}

func TestNothingOfAResourceIsAsNotNamingIt(t *testing.T) {
	amounts, err := member.NewAmounts(map[string]float64{"CPU": 0, "gpu": 1e-5})
	if err != nil || len(amounts) != 0 {
		t.Errorf("got %v, %v", amounts, err)
	}
}

func TestAmountsAreWrittenByName(t *testing.T) {
	tests := []struct {
		quantities map[string]float64
		want       string
	}{
		{nil, "nothing"},
		{map[string]float64{"gpu": 1, "CPU": 0.5}, "CPU:0.5 gpu:1"},
		{map[string]float64{"memory": 0.0001}, "memory:0.0001"},
	}
	for _, test := range tests {
		if got := amounts(t, test.quantities).String(); got != test.want {
			t.Errorf("%v is written %q, want %q", test.quantities, got, test.want)
		}
	}
}

func TestTimesSaysHowOftenANeedFits(t *testing.T) {
	tests := []struct {
		name       string
		have, need map[string]float64
		limit      int
		want       int
	}{
		{"whole", map[string]float64{"CPU": 4}, map[string]float64{"CPU": 1}, 100, 4},
		{"quarters", map[string]float64{"CPU": 1}, map[string]float64{"CPU": 0.25}, 100, 4},
		{"the scarcest decides", map[string]float64{"CPU": 8, "gpu": 2}, map[string]float64{"CPU": 1, "gpu": 1}, 100, 2},
		{"rounded down", map[string]float64{"CPU": 5}, map[string]float64{"CPU": 2}, 100, 2},
		{"the limit", map[string]float64{"CPU": 1000}, map[string]float64{"CPU": 1}, 100, 100},
		{"needing nothing", map[string]float64{}, nil, 100, 100},
		{"not there", map[string]float64{"CPU": 4}, map[string]float64{"gpu": 1}, 100, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			have, need := amounts(t, test.have), amounts(t, test.need)
			if got := have.Times(need, test.limit); got != test.want {
				t.Errorf("%v fits %d times into %v, want %d", need, got, have, test.want)
			}
			if have.Covers(need) != (test.want > 0) {
				t.Errorf("Covers says %v", have.Covers(need))
			}
		})
	}
}

func amounts(t *testing.T, quantities map[string]float64) member.Amounts {
	t.Helper()
	a, err := member.NewAmounts(quantities)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
