package placement

import (
	"testing"

	"manta/bus"
	"manta/internal/member"
	"manta/internal/recorded"
	"manta/objstore"
)

func TestRecordedFramesOfGroupsAreReadAsTheyWereMeant(t *testing.T) {
	need := member.Amounts{member.CPU: 15_000}
	recorded.Play(t, bus.FrameVersion, "reserve", order{kind: reserveFrame, group: objstore.ID{1, 2}, attempt: 3, final: true, bundles: map[int]member.Amounts{7: need}},
		func(o order) []byte { return o.append(nil) }, readOrder)
	recorded.Play(t, bus.FrameVersion, "release", order{kind: releaseFrame, group: objstore.ID{1, 2}}, func(o order) []byte { return o.append(nil) }, readOrder)
	recorded.Play(t, bus.FrameVersion, "answer", answer{done: true, free: need}, func(a answer) []byte { return a.append(nil) }, readAnswer)
	recorded.Play(t, bus.FrameVersion, "question", question{kind: askFrame, group: objstore.ID{9}, version: 4}, func(q question) []byte { return q.append(nil) }, readQuestion)
	recorded.Play(t, bus.FrameVersion, "view", View{Version: 2, Bundles: []member.Amounts{need}, Nodes: []member.ID{{5}}}, func(v View) []byte { return v.append(nil) }, readView)
}
