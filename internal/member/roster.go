package member

import (
	"bytes"
	"maps"
	"slices"
)

// roster is the records of nodes, as the watch of their bucket tells them. Pure. Of a record
//
//	          written                 removed
//	(none) ───────────► there ───────────────────► (none)
//	                     │  ▲                         ▲
//	 the watch begins    │  │ seen in it               │ the grace is over
//	 anew                └► unconfirmed ───────────────┘
//
// and one that had no lease when this node came is hidden: nobody hears of it until it is written again. Nobody hears of one that is foreign
// either; its lease is guarded as all are.
type roster map[ID]*rostered

type rostered struct {
	info      Info
	record    []byte
	revision  uint64
	hidden    bool
	foreign   bool // it speaks another version of frames
	confirmed bool
}

// putForeign notes the record of a node that speaks another version of frames, and says whether it is news.
func (r roster) putForeign(info Info, record []byte, revision uint64) (news bool) {
	old := r[info.ID]
	news = old == nil || !old.foreign || old.info.Frames != info.Frames
	r.put(info, record, revision)
	r[info.ID].foreign = true
	return news
}

// put notes a record and says whether that is news: of a node that was not there, or has changed.
func (r roster) put(info Info, record []byte, revision uint64) (news bool) {
	old := r[info.ID]
	hidden := old != nil && old.hidden && old.revision == revision // seen again, not written again
	r[info.ID] = &rostered{info: info, record: record, revision: revision, hidden: hidden, confirmed: true}
	return !hidden && (old == nil || old.hidden || !bytes.Equal(old.record, record))
}

// spoil notes that somebody has written over a record what does not decode: what was known of the node still counts.
func (r roster) spoil(id ID, record []byte) {
	if n := r[id]; n != nil {
		n.record, n.confirmed = record, true
	}
}

// remove notes that a record is gone and says whether the node was there.
func (r roster) remove(id ID) (was bool) {
	_, was = r.find(id)
	delete(r, id)
	return was
}

// find returns the record of a node that is there.
func (r roster) find(id ID) (Info, bool) {
	if n, ok := r[id]; ok && !n.hidden && !n.foreign {
		return n.info, true
	}
	return Info{}, false
}

// all returns the records of all nodes that are there.
func (r roster) all() []Info {
	var infos []Info
	for _, n := range r {
		if !n.hidden && !n.foreign {
			infos = append(infos, n.info)
		}
	}
	return infos
}

// ids returns all nodes with records, hidden and foreign ones too: what makes the ring.
func (r roster) ids() []ID { return slices.Collect(maps.Keys(r)) }

// doubt begins anew: what is not put from here on was lost with the store.
func (r roster) doubt() {
	for _, n := range r {
		n.confirmed = false
	}
}

// unconfirmed returns whom doubt has left over.
func (r roster) unconfirmed() (ids []ID) {
	for id, n := range r {
		if !n.confirmed {
			ids = append(ids, id)
		}
	}
	return ids
}
