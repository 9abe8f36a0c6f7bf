package bus_test

import (
	"testing"

	"manta/bus"
)

// The codec of a hundred million numbers, 800 MB, beside what it takes to copy them into memory that is there already.
func BenchmarkHundredMillionNumbers(b *testing.B) {
	if testing.Short() {
		b.Skip("takes 1.6 GB")
	}
	numbers := make([]float64, 100_000_000)
	for i := range numbers {
		numbers[i] = float64(i)
	}
	b.Run("copy", func(b *testing.B) {
		to := make([]float64, len(numbers))
		copy(to, numbers) // touches its pages
		b.SetBytes(8 * int64(len(numbers)))
		for b.Loop() {
			copy(to, numbers)
		}
	})
	b.Run("encode and decode", func(b *testing.B) {
		b.SetBytes(8 * int64(len(numbers)))
		b.ReportAllocs()
		for b.Loop() {
			value, err := bus.Encode(numbers)
			if err != nil {
				b.Fatal(err)
			}
			if got, err := bus.Decode[[]float64](value); err != nil || len(got) != len(numbers) {
				b.Fatal(len(got), err)
			}
		}
	})
}
