package actor

// visitors are those that a cell knows. Most actors have one, which so costs no map.
type visitors struct {
	first *visitor
	more  map[visitorKey]*visitor
}

// find returns a visitor, nil if it is not known.
func (vs *visitors) find(key visitorKey) *visitor {
	if v := vs.first; v != nil && v.visitorKey == key {
		return v
	}
	return vs.more[key]
}

func (vs *visitors) add(v *visitor) {
	switch {
	case vs.first == nil:
		vs.first = v
		return
	case vs.more == nil:
		vs.more = make(map[visitorKey]*visitor)
	}
	vs.more[v.visitorKey] = v
}

func (vs *visitors) remove(v *visitor) {
	if vs.first == v {
		vs.first = nil
		return
	}
	if delete(vs.more, v.visitorKey); len(vs.more) == 0 {
		vs.more = nil
	}
}

// all yields them; whoever gets one may remove it.
func (vs *visitors) all(yield func(*visitor) bool) {
	if vs.first != nil && !yield(vs.first) {
		return
	}
	for _, v := range vs.more {
		if !yield(v) {
			return
		}
	}
}
