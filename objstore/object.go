package objstore

import (
	"runtime"
	"sync"
	"weak"
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
	if err := o.failure(); err != nil {
		return err
	}
	if o.home == nil {
		return nil
	}
	interned.Lock()
	if interned.objects[o.id].Value() == nil {
		o.enter()
	}
	interned.Unlock()
	o.home.export(o)
	return nil
}
