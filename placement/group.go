package placement

import (
	"context"
	"errors"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"

	"manta/internal/member"
	"manta/objstore"
)

// Bundle is what is reserved together on one node, by the names of resources; "CPU" counts CPUs, in steps of 1/10,000.
type Bundle map[string]float64

// Group is a handle of bundles that are reserved together. It is a small value: copy it freely, compare it with ==, and pass it to tasks,
// inside other values too. The zero Group is none.
type Group struct{ id objstore.ID }

// Placed is a bundle and where it is.
type Placed struct {
	Bundle Bundle
	Node   string // id of its node; empty while it has none
}

// New makes a group of bundles, and returns at once: they get their places behind it, which [Group.Ready] waits for. The node in ctx
// is the group's creator, and the group ends with it. ctx bounds nothing else. The error names a bundle that is empty or malformed.
func New(ctx context.Context, bundles []Bundle, strategy Strategy) (Group, error) {
	scope, err := member.Unconfined(ctx)
	if err != nil {
		return Group{}, err
	}
	if !strategy.valid() {
		return Group{}, fmt.Errorf("placement group: %v is none of Pack, Spread, StrictPack and StrictSpread", strategy)
	}
	if len(bundles) == 0 {
		return Group{}, errors.New("placement group without bundles: want at least one")
	}
	amounts := make([]member.Amounts, len(bundles))
	for i, b := range bundles {
		if amounts[i], err = member.NewAmounts(b); err != nil {
			return Group{}, fmt.Errorf("placement group: bundle %d reserves %w", i, err)
		}
		if len(amounts[i]) == 0 {
			return Group{}, fmt.Errorf("placement group: bundle %d reserves nothing: want at least one resource of more than 0", i)
		}
	}
	id, err := part.Of(scope.Node).create(amounts, strategy)
	return Group{id}, err
}

// Ready waits until every bundle has its node: the first time, and after one was lost. It returns [ErrRemoved] for a group that is
// removed, and ctx's cause if that ends first, with what keeps the group waiting. A task that waits lends its CPUs.
func (g Group) Ready(ctx context.Context) error {
	for version := uint64(0); ; {
		v, err := g.await(ctx, version)
		switch {
		case err != nil && version > 0:
			return fmt.Errorf("%w: %w", errPending, err)
		case err != nil:
			return err
		case v.Removed:
			return ErrRemoved
		case v.placed():
			return nil
		}
		version = v.Version
	}
}

var errPending = errors.New("the placement group is pending: there is no room for all of its bundles")

// Bundles says where each bundle is at the moment.
func (g Group) Bundles(ctx context.Context) ([]Placed, error) {
	v, err := g.await(ctx, 0)
	if err != nil {
		return nil, err
	}
	if v.Removed {
		return nil, ErrRemoved
	}
	placed := make([]Placed, len(v.Bundles))
	for i, b := range v.Bundles {
		placed[i].Bundle = b.Quantities()
		if v.Nodes[i] != (member.ID{}) {
			placed[i].Node = v.Nodes[i].String()
		}
	}
	return placed, nil
}

// Remove ends the group. It returns when the nodes that are there have back what was reserved and is not held by tasks that run; what
// those hold comes back when they return, for which their ctx tells them. Removing a group that is removed already, or whose creator is
// gone, does nothing, and is no error.
func (g Group) Remove(ctx context.Context) error {
	scope, err := g.scope(ctx)
	if err != nil {
		return err
	}
	return part.Of(scope.Node).remove(ctx, g.id)
}

// await returns the group as it is once it has changed since a version.
func (g Group) await(ctx context.Context, version uint64) (View, error) {
	scope, err := g.scope(ctx)
	if err != nil {
		return View{}, err
	}
	if scope.Work != nil && version > 0 {
		scope.Work.Block()
		defer scope.Work.Unblock()
	}
	return Await(ctx, scope.Node, g.id, version)
}

func (g Group) scope(ctx context.Context) (*member.Scope, error) {
	if g == (Group{}) {
		return nil, errZero
	}
	return member.Unconfined(ctx)
}

// ID returns the group's name, 26 characters; empty for the zero Group.
func (g Group) ID() string {
	if g == (Group{}) {
		return ""
	}
	return g.id.String()
}

// String returns for example placement.Group(0ab…).
func (g Group) String() string { return "placement.Group(" + g.ID() + ")" }

// MarshalText makes a group travel as its id.
func (g Group) MarshalText() ([]byte, error) { return []byte(g.ID()), nil }

// UnmarshalText reads what MarshalText wrote.
func (g *Group) UnmarshalText(text []byte) (err error) {
	*g = Group{}
	if len(text) > 0 {
		g.id, err = objstore.ParseID(string(text))
	}
	return err
}

// EncodeMsgpack implements msgpack.CustomEncoder.
func (g Group) EncodeMsgpack(enc *msgpack.Encoder) error { return enc.EncodeString(g.ID()) }

// DecodeMsgpack implements msgpack.CustomDecoder.
func (g *Group) DecodeMsgpack(dec *msgpack.Decoder) error {
	text, err := dec.DecodeString()
	if err != nil {
		return err
	}
	return g.UnmarshalText([]byte(text))
}
