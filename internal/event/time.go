package event

import "time"

// Time is a moment in microseconds of Unix time, which JavaScript's numbers hold exactly; 0 is none.
type Time int64

// At returns a moment as a Time.
func At(t time.Time) Time {
	if t.IsZero() {
		return 0
	}
	return Time(t.UnixMicro())
}

// Now is the present.
func Now() Time { return Time(time.Now().UnixMicro()) }

// Time returns the moment, the zero time for none.
func (t Time) Time() time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(t)).UTC()
}
