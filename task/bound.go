package task

import (
	"context"
	"errors"
	"fmt"

	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
	"manta/placement"
)

// InGroup has tasks run in bundles of a placement group: each takes what it needs of any of them that has it, and not of the node.
// Tasks wait until the group is placed. They fail with ErrInfeasible if no bundle could meet their need, and with [placement.ErrRemoved]
// when the group is removed: those that run then are cancelled. The tasks that they make are bound to nothing unless they say so.
func InGroup(g placement.Group) Option { return inBundle(g, member.AnyBundle) }

// InBundle is InGroup for one bundle, by its index in the group.
func InBundle(g placement.Group, index int) Option {
	return func(o *call.Options) error {
		if index < 0 {
			return fmt.Errorf("bundle %d of a placement group: want an index from 0", index)
		}
		return inBundle(g, index)(o)
	}
}

func inBundle(g placement.Group, index int) Option {
	return func(o *call.Options) error {
		if g == (placement.Group{}) {
			return errors.New("zero placement.Group: make it with placement.New")
		}
		o.Bundle = member.Bundle{Group: g.ID(), Index: index}
		return nil
	}
}

// needOf is what a task takes where it runs: of a bundle under the bundle's names.
func needOf(o *call.Options) member.Amounts {
	if o.Bundle == (member.Bundle{}) {
		return o.Need
	}
	return o.Bundle.Need(o.Need)
}

// needKey is the same for equal needs of the same bundle.
func needKey(need member.Amounts, in member.Bundle) string {
	if in == (member.Bundle{}) {
		return need.String()
	}
	return need.String() + " in " + in.String()
}

// bound is a placement group to which lanes of an owner are bound.
type bound struct {
	id    objstore.ID
	view  placement.View // the zero View until the creator has told
	lanes []*lane
}

// bind binds a lane to the group that its options name. The owner is locked.
func (o *owner) bind(l *lane, key laneKey, opts *call.Options) {
	group := opts.Bundle.Group
	if group == "" {
		return
	}
	b := o.bounds[group]
	if b == nil {
		b = &bound{}
		b.id, _ = objstore.ParseID(group) // of a Group, which has one
		o.bounds[group] = b
		o.group.Go(func(ctx context.Context) { o.follow(ctx, b) })
	}
	l.key, l.bound, l.in, l.unbound = key, b, opts.Bundle, opts.Need
	b.lanes = append(b.lanes, l)
}

// follow keeps the owner's picture of a group up to date until it is removed.
func (o *owner) follow(ctx context.Context, b *bound) {
	for !b.view.Removed { // only this goroutine writes it
		view, err := placement.Await(ctx, o.node, b.id, b.view.Version)
		if err != nil {
			return
		}
		o.heed(b, view)
	}
}

// heed brings the lanes of a group up to date with it.
func (o *owner) heed(b *bound, view placement.View) {
	o.mu.Lock()
	defer o.unlock()
	b.view = view
	for _, l := range b.lanes {
		if err := b.denies(l); err != nil {
			o.failAll(l, err)
			o.failUnderWay(l, err)
			continue
		}
		for _, n := range o.servers {
			o.introduce(l, n)
		}
		o.pump(l)
	}
	if view.Removed {
		for _, l := range b.lanes {
			o.forgetRemoved(l) // one that has something to do is forgotten when it has not
		}
	}
}

// failUnderWay ends what runs, or waits at a node: its outcome is not wanted any more.
func (o *owner) failUnderWay(l *lane, err error) {
	for _, p := range l.order {
		for _, s := range p.flight {
			if !s.ended {
				o.end(s, &objstore.Outcome{Err: err})
				l.cancel(s)
			}
		}
	}
}

// forgetRemoved forgets a lane, of which nothing is under way, if its group is removed: a program may make many groups.
func (o *owner) forgetRemoved(l *lane) {
	if l.bound == nil || !l.bound.view.Removed || l.restless() || o.numbered[l.number] == nil {
		return
	}
	o.numbered[l.number] = nil
	delete(o.lanes, l.key)
	if o.latestLane == l {
		o.latest, o.latestLane = nil, nil
	}
	delete(o.bounds, l.in.Group)
}

// placed says whether all bundles have nodes.
func (b *bound) placed() bool {
	for _, id := range b.view.Nodes {
		if id == (member.ID{}) {
			return false
		}
	}
	return b.view.Version > 0
}

// on is what a node offers for the group's bundles.
func (b *bound) on(node member.ID) member.Amounts {
	offered := make(member.Amounts)
	for i, id := range b.view.Nodes {
		if id == node {
			offered = offered.Plus(member.Bundle{Group: b.id.String(), Index: i}.Amounts(b.view.Bundles[i]))
		}
	}
	return offered
}

// denies says why a lane's tasks can never run in the group, if that is so.
func (b *bound) denies(l *lane) error {
	if b.view.Removed {
		return fmt.Errorf("task %q in %s: %w", l.function, l.in, placement.ErrRemoved)
	}
	if b.view.Version == 0 {
		return nil
	}
	for i, has := range b.view.Bundles {
		if (l.in.Index == i || l.in.Index == member.AnyBundle) && l.in.Amounts(has).Covers(l.need) {
			return nil
		}
	}
	return fmt.Errorf("task %q in %s needs %s: %w; %s", l.function, l.in, l.unbound, ErrInfeasible, describeBundles(b.view.Bundles))
}

func describeBundles(bundles []member.Amounts) string {
	all := ""
	for i, b := range bundles {
		if i > 0 {
			all += ", "
		}
		all += fmt.Sprintf("bundle %d has %s", i, b)
	}
	return all
}

// withdrawn cancels what runs here in bundles of a group that are not here any more, and lets go of what waits for them.
func (h *host) withdrawn(group objstore.ID) {
	h.mu.Lock()
	defer h.unlock()
	h.desk.withdrawn(group.String(), h.now())
}

// withdrawn is that of the host.
func (d *desk) withdrawn(group string, now moment) {
	name := member.Bundle{Group: group, Index: member.AnyBundle}.Presence()
	for _, g := range d.guests {
		if g.need[name] == 0 {
			continue
		}
		for g.queue.len() > 0 {
			j := g.queue.first()
			d.slots.forget(j)
			d.back(j)
		}
		for j := g.jobs.first; j != nil; j = j.after {
			j.cancel(call.ErrGroupRemoved)
		}
		d.slots.wants(g, false, now)
	}
	d.slots.fill(now)
}
