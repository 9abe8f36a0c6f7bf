package objstore

import (
	"testing"

	"manta/bus"
	"manta/internal/member"
)

func FuzzReadNotes(f *testing.F) {
	f.Add(appendNotes(nil, member.ID{1}, []note{{noteHolds, 1, 1}, {noteDropped, 2, 1 << 40}, {noteKept, 3, 0}, {noteGiven, 4, 5}, {noteDeleted, 6, 0}}))
	f.Add([]byte{bus.FrameMark, bus.FrameVersion, notesFrame})
	f.Fuzz(func(t *testing.T, frame []byte) {
		r, kind := bus.ReadFrame(frame)
		if kind != notesFrame {
			return
		}
		from, notes, err := readNotes(&r)
		if err != nil {
			return
		}
		r, _ = bus.ReadFrame(appendNotes(nil, from, notes))
		again, same, err := readNotes(&r)
		if err != nil || again != from || len(same) != len(notes) {
			t.Fatalf("%v of %v were read again as %v of %v, %v", notes, from, same, again, err)
		}
		for i := range notes {
			if same[i] != notes[i] {
				t.Fatalf("%v was read again as %v", notes[i], same[i])
			}
		}
	})
}
