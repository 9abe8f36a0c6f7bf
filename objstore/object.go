package objstore

import (
	"maps"
	"runtime"
	"sync"
	"weak"

	"manta/internal/member"
)

// Object is what a [Ref] names, without its type: one per name and process, so that refs compare as pointers. It holds the
// name and what its owner's node knows of the value. For packages that make objects; users hold Refs.
//
// An owner holds one for every queued task, so it is one allocation of 80 bytes; what few objects need is behind a pointer.
type Object struct {
	id   ID
	home *Store // the owner's store, nil if the owner is another process
	mark uint64 // the last Wait that was given it; see checkDistinct
	state
}

// Store returns the store of the node that owns the object, nil if that is in another process.
func (o *Object) Store() *Store { return o.home }

// FailedObject returns an object whose every read fails with err.
func FailedObject(err error) *Object {
	o := &Object{}
	o.outcome.Store(&Outcome{Err: err})
	return o
}

// noObject is what the zero Ref names.
var noObject = FailedObject(ErrNoObject)

// failure is the error of an object that could not be made: it alone has an outcome and no home.
func (o *Object) failure() error {
	if o != nil && o.home == nil {
		if out := o.outcome.Load(); out != nil {
			return out.Err
		}
	}
	return nil
}

// interned finds the object of a name that came from elsewhere. Only names that were encoded or decoded are in it: what
// never leaves the process costs no entry. A store's mu is taken before it, never after.
var interned struct {
	sync.Mutex
	objects map[ID]weak.Pointer[Object]
	stores  map[member.ID]*Store // of the nodes of this process; replaced, never changed
}

// intern returns the process's object of that name. What a node of this process owned and has no more is freed.
func intern(id ID) *Object {
	interned.Lock()
	o, home := interned.objects[id].Value(), interned.stores[id.Owner()]
	if o == nil && (home == nil || id.Durable()) {
		o = &Object{id: id}
		o.enter()
	}
	interned.Unlock()
	if o != nil {
		return o
	}
	home.mu.Lock()
	defer home.mu.Unlock()
	if o := home.find(id); o != nil {
		return o
	}
	o = &Object{id: id, home: home}
	o.outcome.Store(freed)
	o.findable()
	return o
}

// lookup returns the process's object of that name if there is one.
func lookup(id ID) *Object {
	interned.Lock()
	defer interned.Unlock()
	return interned.objects[id].Value()
}

// enter makes the object findable by its name; interned is locked.
func (o *Object) enter() {
	if interned.objects == nil {
		interned.objects = make(map[ID]weak.Pointer[Object])
	}
	pointer := weak.Make(o)
	interned.objects[o.id] = pointer
	runtime.AddCleanup(o, func(id ID) {
		interned.Lock()
		if interned.objects[id] == pointer {
			delete(interned.objects, id)
		}
		stores := interned.stores
		interned.Unlock()
		for _, s := range stores {
			s.fallen(id, pointer)
		}
	}, o.id)
}

// register makes a store one whose node is in this process; unregister undoes that.
func (s *Store) register() {
	interned.Lock()
	defer interned.Unlock()
	stores := map[member.ID]*Store{s.node.ID: s}
	maps.Copy(stores, interned.stores)
	interned.stores = stores
}

func (s *Store) unregister() {
	interned.Lock()
	defer interned.Unlock()
	stores := maps.Clone(interned.stores)
	delete(stores, s.node.ID)
	interned.stores = stores
}

// findable makes the object one that its process finds by its name, as long as somebody has a handle.
func (o *Object) findable() {
	if o.home == nil {
		return // it came by its name, or has none
	}
	interned.Lock()
	defer interned.Unlock()
	if interned.objects[o.id].Value() == nil {
		o.enter()
	}
}

// escape is called when the name is about to travel: others may ask for the object from then on.
func (o *Object) escape() error {
	if err := o.failure(); err != nil {
		return err
	}
	o.findable()
	return nil
}
