package placement

import (
	"maps"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// What a creator asks of a node, at its subject for bundles. All of it can be asked twice. The answer is an answerFrame.
const (
	reserveFrame = 'r' // keep these bundles for a moment, or, if that is final, until they are released
	commitFrame  = 'c' // what was reserved by that attempt is final
	undoFrame    = 'u' // what was reserved by that attempt and is not final is not wanted
	releaseFrame = 'x' // nothing of the group is wanted any more
	freeFrame    = 'f' // what is free?

	answerFrame = 'a'
)

// What anybody asks of a creator, at its subject for groups. The answer is a viewFrame.
const (
	askFrame    = 'q' // where is the group, once it has changed since a version?
	removeFrame = 'd' // end the group

	viewFrame = 'v'
)

// order is what a creator asks of a node.
type order struct {
	kind    byte
	group   objstore.ID
	attempt uint64 // of the group's creator to place it
	final   bool
	bundles map[int]member.Amounts // by their index; of a reserveFrame
}

func (o *order) append(b []byte) []byte {
	b = append(bus.AppendFrame(b, o.kind), o.group[:]...)
	b = bus.AppendUint(b, o.attempt)
	if o.kind != reserveFrame {
		return b
	}
	final := byte(0)
	if o.final {
		final = 1
	}
	b = bus.AppendUint(append(b, final), uint64(len(o.bundles)))
	for i, need := range o.bundles {
		b = call.AppendNeed(bus.AppendUint(b, uint64(i)), need)
	}
	return b
}

// maxBundles bounds the index of a bundle on the wire.
const maxBundles = 1 << 20

func readOrder(frame []byte) (o order, err error) {
	r, kind := bus.ReadFrame(frame)
	o.kind = kind
	copy(o.group[:], r.Raw(len(o.group)))
	o.attempt = r.Uint()
	switch kind {
	case reserveFrame:
		o.final = r.Byte() != 0
		o.bundles = make(map[int]member.Amounts)
		for range r.Count() {
			i := r.Uint()
			if i >= maxBundles || o.bundles[int(i)] != nil {
				r.Fail("the index of a bundle is too large, or comes twice")
				break
			}
			o.bundles[int(i)] = call.ReadNeed(&r)
		}
	case commitFrame, undoFrame, releaseFrame, freeFrame:
	default:
		r.Fail("a frame for something else")
	}
	return o, r.Err()
}

// answer is a node's word on an order.
type answer struct {
	done bool
	free member.Amounts // on the node, after it
}

func (a *answer) append(b []byte) []byte {
	done := byte(0)
	if a.done {
		done = 1
	}
	maps.DeleteFunc(a.free, func(_ string, n int64) bool { return n == 0 }) // a need is of something
	return call.AppendNeed(append(bus.AppendFrame(b, answerFrame), done), a.free)
}

func readAnswer(frame []byte) (a answer, err error) {
	r, kind := bus.ReadFrame(frame)
	if kind != answerFrame {
		r.Fail("no answer about bundles")
	}
	a.done = r.Byte() != 0
	a.free = call.ReadNeed(&r)
	return a, r.Err()
}

// question is what anybody asks of a creator.
type question struct {
	kind    byte
	group   objstore.ID
	version uint64
}

func (q *question) append(b []byte) []byte {
	return bus.AppendUint(append(bus.AppendFrame(b, q.kind), q.group[:]...), q.version)
}

func readQuestion(frame []byte) (q question, err error) {
	r, kind := bus.ReadFrame(frame)
	if q.kind = kind; kind != askFrame && kind != removeFrame {
		r.Fail("a frame for something else")
	}
	copy(q.group[:], r.Raw(len(q.group)))
	q.version = r.Uint()
	return q, r.Err()
}

func (v *View) append(b []byte) []byte {
	removed := byte(0)
	if v.Removed {
		removed = 1
	}
	b = bus.AppendUint(append(bus.AppendFrame(b, viewFrame), removed), v.Version)
	b = bus.AppendUint(b, uint64(len(v.Bundles)))
	for i, bundle := range v.Bundles {
		b = call.AppendNeed(append(b, v.Nodes[i][:]...), bundle)
	}
	return b
}

func readView(frame []byte) (v View, err error) {
	r, kind := bus.ReadFrame(frame)
	if kind != viewFrame {
		r.Fail("no answer about a placement group")
	}
	v.Removed = r.Byte() != 0
	v.Version = r.Uint()
	for range r.Count() {
		var id member.ID
		copy(id[:], r.Raw(len(id)))
		v.Nodes = append(v.Nodes, id)
		v.Bundles = append(v.Bundles, call.ReadNeed(&r))
	}
	return v, r.Err()
}
