package main

import (
	"fmt"
	"strconv"
)

// short writes a count as a person would on an axis: 10k, 2.5M.
func short(n float64) string {
	for _, unit := range []struct {
		size   float64
		suffix string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if n >= unit.size {
			return strconv.FormatFloat(n/unit.size, 'g', 3, 64) + unit.suffix
		}
	}
	return strconv.FormatFloat(n, 'f', 0, 64)
}

// grouped writes a whole number with commas between its thousands.
func grouped(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// seconds writes a length of time in seconds as 20 ms or 1.5 s.
func seconds(s float64) string {
	switch {
	case s >= 1:
		return fmt.Sprintf("%.3g s", s)
	case s >= 1e-3:
		return fmt.Sprintf("%.3g ms", s*1e3)
	default:
		return fmt.Sprintf("%.3g µs", s*1e6)
	}
}

// megabytes writes a number of bytes in units of 10⁶.
func megabytes(n int64) string {
	return grouped(int(n/1e6)) + " MB"
}
