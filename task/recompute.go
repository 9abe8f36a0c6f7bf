package task

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"weak"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/logs"
	"manta/objstore"
)

// defaultLineage is the budget of lineage records in bytes.
const defaultLineage = 64 << 20

var (
	errEvicted = errors.New("lineage evicted")
	errUnkept  = errors.New("no lineage is kept: node.Config.LineageBudget is negative")
	errNoTask  = errors.New("only results of tasks are computed again")

	errForgotten = errors.New("it was collected, and was Put or its lineage evicted")
)

// lineages has an owner's lost results computed again: the shell around its ledger.
type lineages struct {
	owner *owner

	mu     sync.Mutex
	ledger *ledger // nil if no lineage is kept
}

func newLineages(o *owner, budget int64) *lineages {
	l := &lineages{owner: o}
	switch {
	case budget == 0:
		l.ledger = newLedger(defaultLineage)
	case budget > 0:
		l.ledger = newLedger(budget)
	}
	return l
}

// keep remembers how a task's result came about, which is a blob. The task has its arguments still.
func (l *lineages) keep(s *submission, blob *objstore.StoredBlob) {
	blob.Attempt = int(s.Attempt)
	if l.ledger == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.ledger.of(s.Number()); r != nil { // computed again
		r.attempt = s.Attempt
		return
	}
	r := &lineage{number: s.Number(), target: s.Target, plain: s.Plain, attempt: s.Attempt, cost: lineageCost}
	if int(s.Attempt) <= s.Target.Options.Retries {
		r.recipe = s.Recipe()
		r.cost += r.recipe.Size()
		for _, in := range r.recipe.Objects {
			if input := l.ledger.of(in.ID.Number()); input != nil && in.ID.Owner() == l.owner.node.ID {
				r.inputs = append(r.inputs, input)
			}
		}
	}
	l.ledger.add(r)
	l.follow(r, s.Object)
}

// follow notes the object of a record, and when it is collected; l is locked.
func (l *lineages) follow(r *lineage, o *objstore.Object) {
	if !r.kept {
		return
	}
	r.object = weak.Make(o)
	runtime.AddCleanup(o, l.collected, objectLife{r.number, r.life})
}

// objectLife is one object of a name: after it was collected there may be another.
type objectLife struct{ number, life uint64 }

// collected runs on the runtime's goroutine, which holds no other lock.
func (l *lineages) collected(o objectLife) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ledger.gone(o.number, o.life)
}

// Freed implements objstore.Lineage.
func (l *lineages) Freed(id objstore.ID) { l.bar(id.Number(), "it was freed") }

// bar makes sure that a result is not computed again.
func (l *lineages) bar(number uint64, why string) {
	if l.ledger == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.ledger.of(number); r != nil && r.barred == "" {
		r.barred = why
	}
}

// Recompute implements objstore.Lineage. It submits the task again, and before it, as far as they are lost or collected, those whose
// results are its arguments, and so on: each once, however many need it.
func (l *lineages) Recompute(ctx context.Context, o *objstore.Object, lost objstore.StoredBlob) error {
	switch {
	case lost.Attempt == 0:
		return errNoTask
	case l.ledger == nil:
		return errUnkept
	}
	l.mu.Lock()
	first, err := l.again(l.ledger.of(o.ID().Number()), o)
	l.mu.Unlock()
	if err != nil {
		return err
	}
	for all := []*rerun{first}; len(all) > 0; {
		r := all[len(all)-1]
		all = append(all[:len(all)-1], l.gather(ctx, r)...)
		l.owner.resubmit(r)
	}
	return nil
}

// rerun is a task that is about to run again: its record is copied, which may be evicted meanwhile.
type rerun struct {
	target  *call.Target
	recipe  call.Recipe
	inputs  []*lineage
	plain   bool
	attempt uint16
	object  *objstore.Object
	objects call.Objects // that are its arguments
}

// again begins one more attempt of a task, or says why there is none; l is locked. r is nil if it was evicted.
func (l *lineages) again(r *lineage, o *objstore.Object) (*rerun, error) {
	switch {
	case r == nil || !r.kept:
		return nil, errEvicted
	case r.barred != "":
		return nil, errors.New(r.barred)
	}
	if _, ok := again(&r.target.Options, int(r.attempt), nil, 0); !ok {
		return nil, fmt.Errorf("no retries left: task %q has made attempt %d, with %d retries", r.target.Name, r.attempt, r.target.Options.Retries)
	}
	r.attempt++
	return &rerun{target: r.target, recipe: r.recipe, inputs: r.inputs, plain: r.plain, attempt: r.attempt, object: o}, nil
}

// gather finds the objects that are a task's arguments. It returns those tasks that must run again for them.
func (l *lineages) gather(ctx context.Context, r *rerun) (more []*rerun) {
	for i, in := range r.recipe.Objects {
		if in.ID.Owner() != l.owner.node.ID {
			r.objects[i] = objstore.Named(in.ID)
			continue
		}
		var first *rerun
		if r.objects[i], first = l.input(ctx, r, i, in); first != nil {
			more = append(more, first)
		}
	}
	return more
}

// input returns the object that is argument i of a task, and what has to run to give it a value, if that is to be begun.
func (l *lineages) input(ctx context.Context, r *rerun, i int, in *call.Ingredient) (*objstore.Object, *rerun) {
	record := r.input(in.ID)
	held := l.heldOf(in, record)
	if held != nil {
		lost := l.owner.store.Missing(ctx, held)
		if lost == nil {
			return held, nil
		}
		if lost.Attempt == 0 {
			l.owner.store.Lose(held, errNoTask)
			return held, nil
		}
	}
	held, first, err := l.revive(in.ID, record, held)
	if err == nil {
		return held, first
	}
	err = fmt.Errorf("argument %d of %q, object %s: %w", i+1, r.target.Name, in.ID, err)
	if held == nil {
		return objstore.FailedObject(fmt.Errorf("%w: %w", objstore.ErrLost, err)), nil
	}
	l.owner.store.Lose(held, err)
	return held, nil
}

// input returns the record of an input, nil if there was none when the task had run.
func (r *rerun) input(id objstore.ID) *lineage {
	for _, in := range r.inputs {
		if in.number == id.Number() {
			return in
		}
	}
	return nil
}

// heldOf returns the object that an argument was, or another that was made of its name since; nil if all were collected.
func (l *lineages) heldOf(in *call.Ingredient, record *lineage) *objstore.Object {
	if held := in.Held(); held != nil || record == nil {
		return held
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return record.object.Value()
}

// revive begins another attempt of an input; its object is made again if it was collected. There is nothing to begin if another has done so.
func (l *lineages) revive(id objstore.ID, record *lineage, held *objstore.Object) (*objstore.Object, *rerun, error) {
	if record == nil && held == nil {
		return nil, nil, errForgotten
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if held != nil {
		first, err := l.again(record, held)
		return held, first, err
	}
	if held = record.object.Value(); held != nil {
		return held, nil, nil
	}
	held = l.owner.store.PromiseAgain(id)
	first, err := l.again(record, held)
	if err != nil {
		return nil, nil, err
	}
	l.ledger.begin(record)
	l.follow(record, held)
	return held, first, nil
}

// resubmit submits a task again.
func (o *owner) resubmit(r *rerun) {
	s := &submission{again: true}
	s.Remake(r.object, r.target, &r.recipe, r.objects, r.attempt)
	s.Plain = r.plain
	if !s.Object.PromisedAgain(s) {
		return
	}
	o.node.Log.Info("a lost result is computed again",
		logs.Task(r.target.Name), logs.ID(r.object.ID()), logs.Attempt(int(r.attempt)))
	o.launch(context.Background(), s)
}

// failedAgain is what a task fails with whose lost result was to be computed again: as any task does, if that was its own doing or the
// user's, else it is lost. It is not tried any more.
func (l *lineages) failedAgain(s *submission, err error) error {
	l.bar(s.Number(), "computing it again failed: "+err.Error())
	_, own := errors.AsType[*Error](err)
	for _, final := range []error{context.Canceled, context.DeadlineExceeded, bus.ErrClosed, objstore.ErrLost} {
		own = own || errors.Is(err, final)
	}
	if own {
		return err
	}
	return fmt.Errorf("%w: attempt %d to compute it failed: %w", objstore.ErrLost, s.Attempt, err)
}

var _ objstore.Lineage = (*lineages)(nil)
