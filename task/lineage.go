package task

import (
	"weak"

	"manta/internal/call"
	"manta/objstore"
)

// lineage is what an owner remembers of a task whose result is a blob, to run it again when that is lost.
//
//	kept ──► its object is gone, and no kept record depends on it ──► ended
//	  └────► it is the oldest and there is no room ──► evicted
type lineage struct {
	number uint64
	inputs []*lineage // of the objects among its arguments
	cost   int64      // bytes of the budget

	target  *call.Target
	recipe  call.Recipe
	plain   bool
	attempt uint16 // the last one that was made
	barred  string // why it is not to run again; "" if it may
	object  weak.Pointer[objstore.Object]

	// The ledger's:
	life         uint64 // of its object, 0 if that is gone; each object of the name has another
	dependents   int    // kept records that have it among their inputs
	kept         bool
	older, newer *lineage
}

// lineageCost is what a record takes beside the values it keeps, in bytes: 255 were measured with its place in the ledger, one input and the
// object's cleanup, to which come about 100 for each argument of its recipe.
const lineageCost = 512

// ledger keeps lineage records within a budget. A record is kept while its object is there, or while a kept record depends on it: it
// keeps records, and no values. The oldest go first when there is no room. It is a plain data structure without clock,
// goroutine or network.
type ledger struct {
	budget, used   int64
	records        map[uint64]*lineage // by the object's number
	oldest, newest *lineage
	lives          uint64
}

func newLedger(budget int64) *ledger {
	return &ledger{budget: budget, records: make(map[uint64]*lineage)}
}

// of returns an object's record, nil if none is kept.
func (l *ledger) of(number uint64) *lineage { return l.records[number] }

// add keeps a record, whose inputs are or were kept, and begins its object's life. There is none of that number.
func (l *ledger) add(r *lineage) {
	if r.cost > l.budget {
		return // it would drive out all others for nothing
	}
	r.kept, r.older = true, l.newest
	if l.newest == nil {
		l.oldest = r
	} else {
		l.newest.newer = r
	}
	l.newest = r
	l.records[r.number] = r
	l.used += r.cost
	for _, in := range r.inputs {
		in.dependents++
	}
	l.begin(r)
	for l.used > l.budget {
		l.end(l.oldest)
	}
}

// begin gives a record's object a life, of which gone is told the number.
func (l *ledger) begin(r *lineage) {
	l.lives++
	r.life = l.lives
}

// gone ends the life of an object.
func (l *ledger) gone(number, life uint64) {
	if r := l.records[number]; r != nil && r.life == life {
		r.life = 0
		if r.dependents == 0 {
			l.end(r)
		}
	}
}

// end lets go of a record, and of those that were kept for its sake alone.
func (l *ledger) end(r *lineage) {
	for ends := []*lineage{r}; len(ends) > 0; {
		r := ends[len(ends)-1]
		ends = ends[:len(ends)-1]
		l.unlink(r)
		for _, in := range r.inputs {
			if in.dependents--; in.dependents == 0 && in.life == 0 && in.kept {
				ends = append(ends, in)
			}
		}
		r.inputs, r.recipe, r.target = nil, call.Recipe{}, nil // who depends on it still has the record
	}
}

func (l *ledger) unlink(r *lineage) {
	r.kept = false
	delete(l.records, r.number)
	l.used -= r.cost
	if r.older == nil {
		l.oldest = r.newer
	} else {
		r.older.newer = r.newer
	}
	if r.newer == nil {
		l.newest = r.older
	} else {
		r.newer.older = r.older
	}
	r.older, r.newer = nil, nil
}
