package call

import (
	"manta/internal/member"
	"manta/objstore"
)

// weigh notes where a large argument is, if it is the largest one; mu is locked.
func (w *awaited) weigh(id objstore.ID, out objstore.Outcome) {
	size, home := int64(len(out.Value.Data)), id.Owner()
	if out.Blob != nil {
		size = max(size, out.Blob.Blob.Size)
		if (out.Blob.From != member.ID{}) {
			home = out.Blob.From
		}
	}
	if size > w.size {
		w.size, w.home = size, home
	}
}

// Home returns the node that has the call's largest argument, once all have values, and false if none is so large that it travels as an
// object.
func (c *Call) Home() (member.ID, bool) {
	if c.awaited == nil || c.awaited.size == 0 {
		return member.ID{}, false
	}
	return c.awaited.home, true
}

// Missing is an argument that has no value yet.
type Missing struct {
	Position int // counted from 1
	Object   objstore.ID
}

// Missing returns the arguments that have no value yet.
func (c *Call) Missing() (all []Missing) {
	w := c.awaited
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, a := range w.args.list[:w.args.n] {
		if a.object != nil && !w.came[i] {
			all = append(all, Missing{i + 1, a.object.ID()})
		}
	}
	return all
}
