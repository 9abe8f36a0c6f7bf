package actor

import (
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"weak"

	"manta/internal/member"
	"manta/objstore"
)

// handle is one actor as this process knows it: refs that name the same actor share it, so that they compare as pointers.
type handle struct {
	id    string // token of the mailbox subject
	class *class
	err   error // of an actor that was never asked for; every call fails with it

	latest atomic.Pointer[caller] // of callers

	mu      sync.Mutex
	birth   objstore.ID      // tells the actor from others that have its name before or after it; zero while it is not known
	life    *objstore.Object // of that name: an actor ends when nobody holds it any more; nil if it is detached, or birth is zero
	callers []*caller        // how each node of this process stands with the actor: most often there is one
}

// identify says which actor the handle's name has turned out to be.
func (h *handle) identify(birth objstore.ID, life *objstore.Object) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.birth, h.life = birth, life
}

// handles finds the handle of an actor by its name on the wire and the type that this process has for it.
var handles struct {
	sync.Mutex
	known map[handleKey]weak.Pointer[handle]
}

// handleKey has a type since registries may give one class name to several.
type handleKey struct {
	wireRef
	typ reflect.Type
}

func (h *handle) key() handleKey { return handleKey{h.wire(), h.class.typ} }

// wireRef is how a Ref travels.
type wireRef struct {
	Class    string `json:"class"`
	ID       string `json:"$actor"`
	Birth    string `json:"birth,omitempty"`
	Detached bool   `json:"detached,omitempty"` // it lives on when nobody has a handle
}

func (h *handle) wire() wireRef {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := wireRef{Class: h.class.name, ID: h.id}
	if h.birth != (objstore.ID{}) {
		w.Birth, w.Detached = h.birth.String(), h.life == nil
	}
	return w
}

func (h *handle) born() objstore.ID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.birth
}

// enter makes a handle the one that others with its name on the wire resolve to.
func (h *handle) enter() {
	handles.Lock()
	defer handles.Unlock()
	h.enterLocked()
}

func (h *handle) enterLocked() {
	if handles.known == nil {
		handles.known = make(map[handleKey]weak.Pointer[handle])
	}
	pointer := weak.Make(h)
	handles.known[h.key()] = pointer
	runtime.AddCleanup(h, func(key handleKey) {
		handles.Lock()
		defer handles.Unlock()
		if handles.known[key] == pointer {
			delete(handles.known, key)
		}
	}, h.key())
}

// known returns the handle of an actor that lives, or has lived, elsewhere.
func known(c *class, id string, birth objstore.ID, detached bool) *handle {
	h := &handle{id: id, class: c, birth: birth, life: lifeOf(birth, detached)}
	handles.Lock()
	defer handles.Unlock()
	if old := handles.known[h.key()].Value(); old != nil {
		return old
	}
	h.enterLocked()
	return h
}

// at returns how a node of this process stands with the actor.
func (h *handle) at(cs *callers) *caller {
	if c := h.latest.Load(); c != nil && c.callers == cs {
		return c
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c, first := h.meet(cs, member.ID{})
	if first && h.life != nil { // it may have come by a way that does not say who holds it
		objstore.StoreOf(cs.node).Hold(h.life)
	}
	return c
}

// lives notes where the actor lives, for a node that is about to hold it.
func (h *handle) lives(cs *callers, node member.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.meet(cs, node)
}

// meet is at for who holds h.mu, and holds the actor if it is the first time.
func (h *handle) meet(cs *callers, node member.ID) (c *caller, first bool) {
	for _, c := range h.callers {
		if c.callers == cs {
			return c, false
		}
	}
	c = newCaller(cs, objstore.StoreOf(cs.node).NextID().Number(), h.id, h.class, h.birth)
	c.node = node
	h.add(c)
	return c, true
}

func (h *handle) add(c *caller) {
	h.callers = append(h.callers, c)
	h.latest.Store(c)
}
