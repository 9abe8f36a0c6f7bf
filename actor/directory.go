package actor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
)

// directory is the bucket of actors that have names: a name is taken by creating its key and free when the key is gone.
type directory struct {
	table   *bus.Table
	members *member.Table
}

func openDirectory(ctx context.Context, node *member.Node) (*directory, error) {
	table, err := node.Conn.OpenTable(ctx, node.Conn.ActorsTable())
	return &directory{table, node.Members}, err
}

// record says who has a name.
type record struct {
	Class string      `json:"class"`
	Node  member.ID   `json:"node"`
	Birth objstore.ID `json:"birth"`

	revision uint64 // of the record in the bucket
}

// claim takes a name and returns the revision of its record, or ErrExists with its holder. A holder whose node is gone has lost
// it to the first who replaces the record.
func (d *directory) claim(ctx context.Context, name string, rec record) (revision uint64, err error) {
	value, err := json.Marshal(rec)
	if err != nil {
		return 0, err
	}
	for {
		if revision, err = d.table.Create(ctx, name, value, 0); !errors.Is(err, bus.ErrExists) {
			return revision, err
		}
		held, err := d.read(ctx, name)
		switch {
		case errors.Is(err, ErrNotFound): // it has become free
			continue
		case err != nil:
			return 0, err
		}
		there, err := d.members.There(ctx, held.Node)
		switch {
		case err != nil:
			return 0, err
		case there:
			return 0, fmt.Errorf("actor %q of class %s on node %s: %w", name, held.Class, held.Node, ErrExists)
		}
		if revision, err = d.table.Replace(ctx, name, value, held.revision); !errors.Is(err, bus.ErrChanged) {
			return revision, err
		}
	}
}

// lookup returns who has a name, or ErrNotFound.
func (d *directory) lookup(ctx context.Context, name string) (record, error) {
	rec, err := d.read(ctx, name)
	if err != nil {
		return rec, err
	}
	there, err := d.members.There(ctx, rec.Node)
	if err == nil && !there {
		err = fmt.Errorf("%q: %w: its node %s is gone", name, ErrNotFound, rec.Node)
	}
	return rec, err
}

func (d *directory) read(ctx context.Context, name string) (rec record, err error) {
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
	rec.revision = entry.Revision
	return rec, nil
}

// release frees a name, unless another actor has it already.
func (d *directory) release(ctx context.Context, name string, revision uint64) error {
	if err := d.table.DeleteRevision(ctx, name, revision); !errors.Is(err, bus.ErrChanged) {
		return err
	}
	return nil
}
