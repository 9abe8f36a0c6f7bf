package actor

import (
	"reflect"
	"runtime"
	"sync"
	"weak"

	"manta/internal/member"
	"manta/objstore"
)

// handle is one actor as this process knows it: refs that name the same actor share it, so that they compare as pointers.
type handle struct {
	id    string // token of the mailbox subject
	class *class
	err   error // of an actor that was never asked for; every call fails with it

	mu      sync.Mutex
	birth   objstore.ID          // tells the actor from others that have its name before or after it; zero while it is not known
	callers map[*callers]*caller // how each node of this process stands with the actor
}

func (h *handle) setBirth(birth objstore.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.birth = birth
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
	Class string `json:"class"`
	ID    string `json:"$actor"`
	Birth string `json:"birth,omitempty"`
}

func (h *handle) wire() wireRef {
	w := wireRef{Class: h.class.name, ID: h.id}
	if birth := h.born(); birth != (objstore.ID{}) {
		w.Birth = birth.String()
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
func known(c *class, id string, birth objstore.ID) *handle {
	handles.Lock()
	defer handles.Unlock()
	h := &handle{id: id, class: c, birth: birth}
	if old := handles.known[h.key()].Value(); old != nil {
		return old
	}
	h.enterLocked()
	return h
}

// at returns how a node of this process stands with the actor.
func (h *handle) at(cs *callers, node member.ID) *caller {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.callers[cs]
	if c == nil {
		c = newCaller(objstore.StoreOf(cs.node).NextID().Number(), h.id, h.class, h.birth)
		c.node = node
		h.set(cs, c)
	}
	return c
}

func (h *handle) set(cs *callers, c *caller) {
	if h.callers == nil {
		h.callers = make(map[*callers]*caller)
	}
	h.callers[cs] = c
}
