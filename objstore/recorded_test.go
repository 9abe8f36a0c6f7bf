package objstore

import (
	"testing"

	"manta/bus"
	"manta/internal/member"
	"manta/internal/recorded"
)

func TestRecordedFramesOfObjectsAreReadAsTheyWereMeant(t *testing.T) {
	recorded.Play(t, bus.FrameVersion, "chunk", chunkQuestion{question: question{kind: chunkFrame, id: ID{1}, from: member.ID{2}}, blob: "owner.blob", index: 3, rising: true},
		func(q chunkQuestion) []byte { return q.append(nil) }, readChunkQuestion)
	recorded.Play(t, bus.FrameVersion, "ask", question{kind: askFrame, id: ID{1}, from: member.ID{2}, version: 3}, func(q question) []byte {
		return bus.AppendUint(append(append(bus.AppendFrame(nil, q.kind), q.id[:]...), q.from[:]...), q.version)
	}, readQuestion)
	type said struct {
		from  member.ID
		notes []note
	}
	recorded.Play(t, bus.FrameVersion, "notes", said{member.ID{1}, []note{{noteHolds, 2, 3}, {noteDropped, 4, 5}, {noteGiven, 6, 7}}},
		func(s said) []byte { return appendNotes(nil, s.from, s.notes) }, func(frame []byte) (s said, err error) {
			r, _ := bus.ReadFrame(frame)
			s.from, s.notes, err = readNotes(&r)
			return s, err
		})
	for name, out := range map[string]Outcome{
		"value": {Value: bus.Value{Format: bus.Msgpack, Data: []byte{7}}},
		"blob":  {Blob: &StoredBlob{Blob: bus.Blob{ID: "owner.blob", Size: 1 << 20, Chunk: 1 << 19}, Format: bus.Float64s}},
	} {
		recorded.Play(t, bus.FrameVersion, name, out, func(out Outcome) []byte {
			return out.AppendTo(append(bus.AppendFrame(nil, answerFrame), answerOutcome))
		},
			func(frame []byte) (Outcome, error) { out, _ := readAnswer(frame); return out, out.Err })
	}
}
