package member

import "testing"

func TestARecordSeenAgainIsNoNews(t *testing.T) {
	r, info := make(roster), Info{ID: ID{1}}
	for i, step := range []struct {
		record   string
		revision uint64
		news     bool
	}{{"a", 1, true}, {"a", 2, false}, {"b", 3, true}} {
		if news := r.put(info, []byte(step.record), step.revision); news != step.news {
			t.Errorf("step %d: news is %v", i, news)
		}
	}
}

func TestAHiddenNodeIsThereWhenItsRecordIsWrittenAgain(t *testing.T) {
	r, info := make(roster), Info{ID: ID{1}}
	r.put(info, []byte("a"), 1)
	r[info.ID].hidden = true
	if _, there := r.find(info.ID); there || len(r.all()) > 0 || len(r.ids()) != 1 {
		t.Error("it is not hidden, or not in the ring")
	}
	if r.put(info, []byte("a"), 1) {
		t.Error("seen again it is news")
	}
	if _, there := r.find(info.ID); there {
		t.Error("seen again it is there")
	}
	if !r.put(info, []byte("a"), 2) {
		t.Error("written again it is no news")
	}
	if _, there := r.find(info.ID); !there {
		t.Error("written again it is not there")
	}
}

func TestDoubtLeavesThoseThatAreNotSeenAgain(t *testing.T) {
	r := make(roster)
	for i := range byte(3) {
		r.put(Info{ID: ID{i}}, nil, uint64(i)+1)
	}
	r.doubt()
	r.put(Info{ID: ID{1}}, nil, 1)
	r.remove(ID{2})
	if ids := r.unconfirmed(); len(ids) != 1 || ids[0] != (ID{0}) {
		t.Errorf("left are %v", ids)
	}
}
