package actor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
)

const (
	// deadRecordTTL is how long the record of an actor that has ended says why.
	deadRecordTTL = 10 * time.Minute
	// accessTimeout bounds one access: one that meets a change of the bucket's leader is never answered.
	accessTimeout = 2 * time.Second
	// looks is how many records are read at a time: of thousands that are asked for at once each would take longer than accessTimeout.
	looks = 64
)

// directory is the bucket of the actors that others may have to find: those with names, and those that outlive their node or creator.
// Of each it has three keys:
//
//	actor.<id>         its record
//	at.<node>.<id>     that its record may name this node; one that does not is a leftover
//	start.<id>         how it was asked for, if it is made again when its node is lost
//
// The second is written before the record, and the revision of that write is the epoch: it grows for ever.
type directory struct {
	table   *bus.Table
	members *member.Table
	store   *objstore.Store
	group   *member.Group // removes states that are not needed any more
	looking turns
	log     *zap.Logger
}

// record says what is known of an actor. Whoever changes it, by compare-and-set, decides what becomes of the actor.
//
//	pending (Start runs) ─► alive ⇄ passive ─► restarting (its node is lost) ─► pending …
//	   └───────────────────────┴─────────┴────────┴─► dead, and why
type record struct {
	Class    string      `json:"class"`
	State    recordState `json:"state"`
	Node     member.ID   `json:"node"` // where it lives; of one that is restarting, who sees to that
	Birth    objstore.ID `json:"birth"`
	Epoch    uint64      `json:"epoch"`
	Detached bool        `json:"detached,omitempty"`
	Cause    string      `json:"cause,omitempty"`
	Snapshot []byte      `json:"snapshot,omitempty"` // see keepState
	lifespan

	revision uint64 // of the record in the bucket
}

type recordState string

const (
	recordPending    recordState = "pending"
	recordAlive      recordState = "alive"
	recordPassive    recordState = "passive" // alive, without an instance until the next call
	recordRestarting recordState = "restarting"
	recordDead       recordState = "dead"
)

// ended says whether there is no actor.
func (r *record) ended() bool { return r.State == "" || r.State == recordDead }

// orphaned says whether the actor's creator, with which it dies, is gone.
func (r *record) orphaned(ctx context.Context, members *member.Table) (bool, error) {
	if r.Detached {
		return false, nil
	}
	there, err := members.There(ctx, r.Birth.Owner())
	return !there, err
}

func openDirectory(ctx context.Context, node *member.Node) (*directory, error) {
	table, err := node.Conn.OpenTable(ctx, node.Conn.ActorsTable())
	return &directory{
		table: table, members: node.Members, store: objstore.StoreOf(node), group: member.NewGroup(ctx), looking: make(turns, looks), log: node.Log,
	}, err
}

func (d *directory) close() {
	d.group.Stop(bus.ErrClosed)
	d.group.Wait()
}

func recordKey(id string) string { return "actor." + id }
func startKey(id string) string  { return "start." + id }

func placeKey(node member.ID, id string) string { return "at." + node.String() + "." + id }

// claim takes an id, which for an actor with a name is that, or returns ErrExists with its holder. A holder whose node is gone has lost it to the
// first who replaces the record, unless it is made again.
func (d *directory) claim(ctx context.Context, id string, rec record) (record, error) {
	for {
		held, err := d.look(ctx, id)
		if err == nil {
			err = d.vacant(ctx, id, held)
		}
		if err != nil {
			return rec, err
		}
		claimed, err := d.enter(ctx, id, rec, held.revision)
		if !errors.Is(err, bus.ErrChanged) {
			return claimed, err
		}
	}
}

// vacant returns nil if an actor may be made with an id.
func (d *directory) vacant(ctx context.Context, id string, held record) error {
	if held.ended() {
		return nil
	}
	there, err := d.members.There(ctx, held.Node)
	if err == nil && (there || held.Limit != 0) {
		err = fmt.Errorf("actor %q of class %s on node %s: %w", id, held.Class, held.Node, ErrExists)
	}
	return err
}

// enter writes a record with an epoch of its own, if the one that is there still has the revision; else it returns bus.ErrChanged.
func (d *directory) enter(ctx context.Context, id string, rec record, revision uint64) (record, error) {
	epoch, err := d.arrive(ctx, rec.Node, id)
	if err != nil {
		return rec, err
	}
	rec.Epoch, rec.revision = epoch, revision
	entered, err := d.replace(ctx, id, rec)
	if err != nil { // it may be there all the same: the answer was lost
		if found, failure := d.look(ctx, id); failure == nil && found.Epoch == epoch {
			return found, nil
		}
	}
	return entered, err
}

// replace writes a record whose revision is still the one that was read; else it returns bus.ErrChanged.
func (d *directory) replace(ctx context.Context, id string, rec record) (record, error) {
	value, err := json.Marshal(rec)
	if err != nil {
		return rec, err
	}
	ctx, cancel := context.WithTimeout(ctx, accessTimeout)
	defer cancel()
	revision, err := d.table.Replace(ctx, recordKey(id), value, rec.revision)
	if err == nil {
		rec.revision = revision
	}
	return rec, err
}

// end writes that an actor is dead, which frees its name, if the record's revision is still the one that was read; else it returns
// bus.ErrChanged.
func (d *directory) end(ctx context.Context, id string, rec record, cause string) error {
	kept := rec.Snapshot
	rec.State, rec.Cause, rec.Snapshot = recordDead, cause, nil
	value, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	if _, err = d.table.Renew(ctx, recordKey(id), value, rec.revision, deadRecordTTL); err != nil {
		return err
	}
	d.dropState(kept)
	if rec.Limit != 0 {
		err = d.table.Delete(ctx, startKey(id))
	}
	return errors.Join(err, d.leave(ctx, rec.Node, id))
}

// arrive writes that an actor may live on a node, and returns the revision of that.
func (d *directory) arrive(ctx context.Context, node member.ID, id string) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, accessTimeout)
	defer cancel()
	return d.table.Put(ctx, placeKey(node, id), nil)
}

// leave removes the word that an actor may live on a node.
func (d *directory) leave(ctx context.Context, node member.ID, id string) error {
	return d.table.Delete(ctx, placeKey(node, id))
}

// keepStart writes how an actor was asked for.
func (d *directory) keepStart(ctx context.Context, id string, frame []byte) error {
	_, err := d.table.Put(ctx, startKey(id), frame)
	return err
}

// start returns how an actor was asked for.
func (d *directory) start(ctx context.Context, id string) ([]byte, error) {
	entry, err := d.table.Get(ctx, startKey(id))
	return entry.Value, err
}

// lookup returns who has a name, or ErrNotFound.
func (d *directory) lookup(ctx context.Context, name string) (record, error) {
	rec, err := d.look(ctx, name)
	switch {
	case err != nil:
		return rec, err
	case rec.ended():
		return rec, fmt.Errorf("%q: %w", name, ErrNotFound)
	case rec.Limit != 0:
		return rec, nil
	}
	there, err := d.members.There(ctx, rec.Node)
	if err == nil && !there {
		err = fmt.Errorf("%q: %w: its node %s is gone", name, ErrNotFound, rec.Node)
	}
	return rec, err
}

// look reads a record; of an id that nobody has it has no state, and the revision to replace.
func (d *directory) look(ctx context.Context, id string) (rec record, err error) {
	end, err := d.looking.take(ctx)
	if err != nil {
		return rec, err
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, accessTimeout)
	defer cancel()
	entry, err := d.table.Look(ctx, recordKey(id))
	if err != nil {
		return rec, err
	}
	if !entry.Gone {
		if rec, err = readRecord(id, entry.Value); err != nil {
			return rec, err
		}
	}
	rec.revision = entry.Revision
	return rec, nil
}

// errNoRecord is the error of what stands in the place of an actor's record and is none.
var errNoRecord = errors.New("the record of an actor does not decode: remove its key from the bucket")

func readRecord(id string, value []byte) (rec record, err error) {
	if err := json.Unmarshal(value, &rec); err != nil {
		return record{}, fmt.Errorf("actor %q: %w: %w", id, errNoRecord, err)
	}
	switch rec.State {
	case "", recordPending, recordAlive, recordPassive, recordRestarting, recordDead:
		return rec, nil
	}
	return record{}, fmt.Errorf("actor %q: %w: its state is %q", id, errNoRecord, bus.Clip(string(rec.State), 32))
}

// hosts returns the nodes that records may name.
func (d *directory) hosts(ctx context.Context) (ids []member.ID, err error) {
	entries, err := d.table.All(ctx, "at.*.*")
	seen := make(map[member.ID]bool)
	for _, e := range entries {
		id, err := member.ParseID(strings.Split(e.Key, ".")[1])
		if err == nil && !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids, err
}

// residents returns the actors whose records may name a node.
func (d *directory) residents(ctx context.Context, node member.ID) (ids []string, err error) {
	entries, err := d.table.All(ctx, placeKey(node, "*"))
	for _, e := range entries {
		ids = append(ids, bus.LastToken(e.Key))
	}
	return ids, err
}
