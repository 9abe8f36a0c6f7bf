package member

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// CPU is the name of the resource that CPUs are counted by.
const CPU = "CPU"

// unit is how many counts make one of a resource: fractions are exact to 1/10,000, as in Ray.
const unit = 10_000

// Amounts are quantities of resources by name, in 1/10,000. Without a name means none of it.
type Amounts map[string]int64

// NewAmounts converts quantities; the error names the resource that is negative or no number, or has a name that is not for users.
func NewAmounts(quantities map[string]float64) (Amounts, error) {
	a := make(Amounts, len(quantities))
	for name, q := range quantities {
		if strings.Contains(name, bundleMark) {
			return nil, fmt.Errorf("a resource named %q: %q is kept for those of bundles", name, bundleMark)
		}
		if !(q >= 0) || q > math.MaxInt64/unit {
			return nil, fmt.Errorf("%v of resource %q: want a number from 0", q, name)
		}
		if n := int64(math.Round(q * unit)); n > 0 {
			a[name] = n
		}
	}
	return a, nil
}

// Quantities is the inverse of NewAmounts.
func (a Amounts) Quantities() map[string]float64 {
	q := make(map[string]float64, len(a))
	for name, n := range a {
		q[name] = float64(n) / unit
	}
	return q
}

// Covers says whether need can be taken out of a.
func (a Amounts) Covers(need Amounts) bool {
	for name, n := range need {
		if a[name] < n {
			return false
		}
	}
	return true
}

// Times says how often need can be taken out of a; needing nothing is bounded by limit.
func (a Amounts) Times(need Amounts, limit int) int {
	times := int64(limit)
	for name, n := range need {
		times = min(times, a[name]/n)
	}
	return int(max(times, 0))
}

// Equal says whether two amounts are the same.
func (a Amounts) Equal(b Amounts) bool {
	if len(a) != len(b) {
		return false
	}
	for name, n := range a {
		if b[name] != n {
			return false
		}
	}
	return true
}

// Plus returns the sum.
func (a Amounts) Plus(b Amounts) Amounts {
	sum := make(Amounts, len(a)+len(b))
	sum.add(a)
	sum.add(b)
	return sum
}

// Minus returns what is left of a without b, which a covers.
func (a Amounts) Minus(b Amounts) Amounts {
	rest := maps.Clone(a)
	rest.subtract(b)
	return rest
}

// add stops at the largest number: what others say they need must not come round to less than nothing.
func (a Amounts) add(b Amounts) {
	for name, n := range b {
		if n > 0 && a[name] > math.MaxInt64-n {
			a[name] = math.MaxInt64
			continue
		}
		a[name] += n
	}
}

func (a Amounts) subtract(b Amounts) {
	for name, n := range b {
		a[name] -= n
	}
}

// String returns for example "CPU:0.5 gpu:1", sorted by name, and "nothing" for none.
func (a Amounts) String() string {
	if len(a) == 0 {
		return "nothing"
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(a)) {
		parts = append(parts, name+":"+strconv.FormatFloat(float64(a[name])/unit, 'f', -1, 64))
	}
	return strings.Join(parts, " ")
}
