package objstore

import (
	"runtime"
	"sync"
	"weak"
)

// Object is what a [Ref] names, without its type: one per name and process, so that refs compare as pointers. It holds
// identity; what a node knows of the value is in a state. For packages that make objects; users hold Refs.
type Object struct {
	id  ID
	err error // of an object that could not be made; it has no states

	home   *Store // the owner's store, nil if the owner is another process
	origin *state // in home

	mu      sync.Mutex
	mirrors map[*Store]*state // what nodes of this process that do not own the object know of it
}

// FailedObject returns an object whose every read fails with err.
func FailedObject(err error) *Object { return &Object{err: err} }

// interned finds the object of a name that came from elsewhere. Only names that were encoded or decoded are in it: what
// never leaves the process costs no entry.
var interned struct {
	sync.Mutex
	objects map[ID]weak.Pointer[Object]
}

// intern returns the process's object of that name.
func intern(id ID) *Object {
	interned.Lock()
	defer interned.Unlock()
	if o := interned.objects[id].Value(); o != nil {
		return o
	}
	o := &Object{id: id}
	o.enter()
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
		defer interned.Unlock()
		if interned.objects[id] == pointer {
			delete(interned.objects, id)
		}
	}, o.id)
}

// escape is called when the name is about to travel: others may ask for the object from now on.
func (o *Object) escape() error {
	if o.err != nil {
		return o.err
	}
	if o.home == nil {
		return nil
	}
	interned.Lock()
	if interned.objects[o.id].Value() == nil {
		o.enter()
	}
	interned.Unlock()
	o.home.export(o.id, o.origin)
	return nil
}
