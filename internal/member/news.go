package member

import (
	"bytes"
	"encoding/json"
	"fmt"
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
		err = json.Unmarshal(e.Value, &info)
		info.ID = id
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case epoch != t.epoch:
		return
	case err != nil:
		t.log.Warn("the record of a node does not decode", zap.String("key", e.Key), zap.Error(err))
		t.roster.spoil(id, e.Value)
	case e.Gone:
		t.remove(id)
	case info.Frames != bus.FrameVersion:
		if _, there := t.roster.find(id); there {
			t.remove(id)
		}
		if t.roster.putForeign(info, e.Value, e.Revision) {
			t.log.Error("a node is left alone", zap.Error(otherVersion(info)))
		}
	case t.roster.put(info, e.Value, e.Revision):
		for _, w := range t.watchers {
			w.Joined(info)
		}
		t.noteChange()
	}
	t.stir()
}

// otherVersion is the error of a node that speaks another version of frames than this process.
func otherVersion(info Info) error {
	return fmt.Errorf("%w: node %s (Manta %s) speaks version %d, this process speaks version %d: give one of them another namespace, or stop all "+
		"nodes of a namespace before its version changes", bus.ErrVersion, info.ID, bus.Clip(info.Version, 32), info.Frames, bus.FrameVersion)
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

// recorded says whether this node's record is there as it is to be, or the table cannot tell.
func (t *Table) recorded(record []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, ok := t.roster[t.self]
	return t.blind || ok && n.confirmed && bytes.Equal(n.record, record)
}
