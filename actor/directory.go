package actor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"manta/bus"
	"manta/internal/member"
)

// directory is the bucket of actors that have names: a name is taken by creating its key and free when the key is gone.
type directory struct {
	table   *bus.Table
	members *member.Table
}

// record says who has a name.
type record struct {
	Class string    `json:"class"`
	Node  member.ID `json:"node"`
}

// claim takes a name, or returns ErrExists with its holder. A holder whose node is gone has lost it.
func (d *directory) claim(ctx context.Context, name string, rec record) error {
	value, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	for {
		if _, err = d.table.Create(ctx, name, value, 0); !errors.Is(err, bus.ErrExists) {
			return err
		}
		held, err := d.lookup(ctx, name)
		switch {
		case errors.Is(err, ErrNotFound): // gone meanwhile, or its node is: the name is free
			if err := d.release(ctx, name); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			return fmt.Errorf("actor %q of class %s on node %s: %w", name, held.Class, held.Node, ErrExists)
		}
	}
}

// lookup returns who has a name, or ErrNotFound.
func (d *directory) lookup(ctx context.Context, name string) (rec record, err error) {
	entry, err := d.table.Get(ctx, name)
	if errors.Is(err, bus.ErrNotFound) {
		return rec, fmt.Errorf("%q: %w", name, ErrNotFound)
	}
	if err != nil {
		return rec, err
	}
	if err := json.Unmarshal(entry.Value, &rec); err != nil {
		return rec, fmt.Errorf("the record of actor %q does not decode: %w", name, err)
	}
	if !d.members.Alive(rec.Node) {
		return rec, fmt.Errorf("%q: %w: its node %s is gone", name, ErrNotFound, rec.Node)
	}
	return rec, nil
}

// release frees a name.
func (d *directory) release(ctx context.Context, name string) error { return d.table.Delete(ctx, name) }
