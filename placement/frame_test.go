package placement

import (
	"reflect"
	"testing"

	"manta/internal/member"
	"manta/objstore"
)

func TestFramesAreReadAsTheyWereWritten(t *testing.T) {
	need := member.Amounts{member.CPU: 5}
	o := order{kind: reserveFrame, group: objstore.ID{1, 2}, attempt: 3, final: true, bundles: map[int]member.Amounts{7: need}}
	if got, err := readOrder(o.append(nil)); err != nil || !reflect.DeepEqual(got, o) {
		t.Errorf("an order: got %+v, %v", got, err)
	}
	a := answer{done: true, free: need}
	if got, err := readAnswer(a.append(nil)); err != nil || !reflect.DeepEqual(got, a) {
		t.Errorf("an answer: got %+v, %v", got, err)
	}
	none := answer{free: member.Amounts{member.CPU: 0}}
	if got, err := readAnswer(none.append(nil)); err != nil || got.done || len(got.free) > 0 {
		t.Errorf("an answer of nothing: got %+v, %v", got, err)
	}
	q := question{kind: askFrame, group: objstore.ID{9}, version: 4}
	if got, err := readQuestion(q.append(nil)); err != nil || got != q {
		t.Errorf("a question: got %+v, %v", got, err)
	}
	v := View{Version: 2, Removed: true, Bundles: []member.Amounts{need}, Nodes: []member.ID{{5}}}
	if got, err := readView(v.append(nil)); err != nil || !reflect.DeepEqual(got, v) {
		t.Errorf("a view: got %+v, %v", got, err)
	}
}

func FuzzFrames(f *testing.F) {
	o := order{kind: reserveFrame, attempt: 3, bundles: map[int]member.Amounts{7: {member.CPU: 5}}}
	q := question{kind: askFrame, version: 4}
	v := View{Version: 2, Bundles: []member.Amounts{{member.CPU: 5}}, Nodes: []member.ID{{5}}}
	a := answer{done: true, free: member.Amounts{member.CPU: 5}}
	for _, seed := range [][]byte{o.append(nil), q.append(nil), v.append(nil), a.append(nil)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		if o, err := readOrder(frame); err == nil && len(o.bundles) > len(frame) {
			t.Error("more bundles than bytes")
		}
		_, _ = readQuestion(frame)
		_, _ = readAnswer(frame)
		if v, err := readView(frame); err == nil && len(v.Nodes) != len(v.Bundles) {
			t.Error("a bundle without a node")
		}
	})
}
