package call

import (
	"weak"

	"manta/objstore"
)

// Recipe is what a call was given, to make it once more when it has had its outcome. It keeps no object alive.
type Recipe struct {
	wire        string // all arguments, if all were small values
	ingredients []Ingredient
	trace       Trace // of a call with ingredients
}

// Ingredient is one of a recipe's arguments.
type Ingredient struct {
	ID objstore.ID // of an argument that was an object, and stays one; else zero

	value  Arg // if it was no object
	object weak.Pointer[objstore.Object]
}

// Held returns the object that the argument was, nil if it was collected.
func (i *Ingredient) Held() *objstore.Object { return i.object.Value() }

// Recipe returns what the call was given; its arguments must be ready, and it has no outcome yet.
func (c *Call) Recipe() Recipe {
	w := c.awaited
	if w == nil {
		return Recipe{wire: c.wire}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	r := Recipe{trace: w.args.trace}
	for _, a := range w.args.list[:w.args.n] {
		switch {
		case a.wire != "":
			r.ingredients = append(r.ingredients, Ingredient{value: Arg{wire: a.wire}})
		case a.large.Format != 0:
			r.ingredients = append(r.ingredients, Ingredient{value: Arg{large: a.large}})
		default:
			r.ingredients = append(r.ingredients, Ingredient{ID: a.object.ID(), object: weak.Make(a.object)})
		}
	}
	return r
}

// Size is how many bytes of values the recipe keeps.
func (r *Recipe) Size() int64 {
	size := len(r.wire)
	for _, i := range r.ingredients {
		size += len(i.value.wire) + len(i.value.large.Data)
	}
	return int64(size)
}

// Objects are the arguments that were objects, by their positions from 0.
func (r *Recipe) Objects(yield func(int, *Ingredient) bool) {
	for i := range r.ingredients {
		if in := &r.ingredients[i]; in.ID != (objstore.ID{}) && !yield(i, in) {
			return
		}
	}
}

// Remake makes the call of a recipe once more, for the same object, with the given objects for its objects, by position.
func (c *Call) Remake(o *objstore.Object, t *Target, r *Recipe, objects Objects, attempt uint16) {
	var args Args
	if r.wire != "" {
		args = ArgsOf(Arg{wire: r.wire})
	}
	args.trace = r.trace
	for i, in := range r.ingredients {
		a := in.value
		if objects[i] != nil {
			a.object = objects[i]
		}
		args.list[i], args.n = a, i+1
	}
	c.init(o, t, args, attempt)
}

// Objects are the objects that are arguments of a call, by position; the others are nil.
type Objects = [maxArgs]*objstore.Object
