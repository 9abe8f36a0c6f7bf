package member

import (
	"encoding/json"
	"time"

	"go.uber.org/zap"

	"manta/bus"
)

func (t *Table) recordChanged(epoch int, e bus.Entry) {
	id, err := ParseID(e.Key)
	if err != nil {
		t.log.Warn("the bucket of nodes holds a foreign key", zap.String("key", e.Key))
		return
	}
	var info Info
	if !e.Gone {
		if err := json.Unmarshal(e.Value, &info); err != nil {
			t.log.Warn("the record of a node does not decode", zap.String("key", e.Key), zap.Error(err))
			return
		}
		info.ID = id
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case epoch != t.epoch:
		return
	case e.Gone:
		t.remove(id)
	case t.roster.put(info, e.Value, e.Revision):
		for _, w := range t.watchers {
			w.Joined(info)
		}
		t.noteChange()
	}
	t.stir()
}

// remove takes a record away, and tells the watchers if its node was there. t.mu is held.
func (t *Table) remove(id ID) {
	if !t.roster.remove(id) {
		return
	}
	for _, w := range t.watchers {
		w.Left(id)
	}
	t.noteChange()
}

func (t *Table) noteChange() {
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *Table) leaseChanged(epoch int, e bus.Entry) {
	id, err := ParseID(e.Key)
	if err != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if epoch == t.epoch {
		t.guard.see(id, e, time.Now())
		if e.Gone || len(e.Value) > 0 {
			t.stir()
		}
	}
}

// recorded says whether a node has a record, or the table cannot tell.
func (t *Table) recorded(id ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, ok := t.roster[id]
	return t.blind || ok && n.confirmed
}
