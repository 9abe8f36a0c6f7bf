package plain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
)

const (
	// idHeader names a request that is made once, however often it is sent.
	idHeader = "Manta-Id"
	// mostID bounds such a name in bytes.
	mostID = 128
	// answerKept is how long its answer is kept, and claimKept how long it is remembered that a node works at it, should that node die.
	answerKept = 10 * time.Minute
	claimKept  = 24 * time.Hour
	// claimLook is how often somebody who waits for another's answer looks for it.
	claimLook = 50 * time.Millisecond
	// claimPatience bounds a write of a record, and claimAgain is the pause before it is tried again.
	claimPatience = 5 * time.Second
	claimAgain    = time.Second
	// recordOverhead is room for what a record has beside an answer's payload.
	recordOverhead = 64 << 10
)

// claims is the requests that are made once, in a bucket of all nodes.
type claims struct {
	node  *member.Node
	group *member.Group

	mu    sync.Mutex
	table *bus.Table // nil until the first one
}

// claim is a request that this node has taken upon itself.
type claim struct {
	id       string
	record   claimRecord
	revision uint64
}

// claimRecord is what the bucket has of a request.
//
//	claimed by a node ─► answered ─► expired
//	       │    └──────► claimed by another one, as the first died
//	       └► released: it has done nothing
type claimRecord struct {
	Node   string       `json:"node"`
	Asked  string       `json:"asked"` // what was asked, as a checksum
	Answer *claimAnswer `json:"answer,omitempty"`
}

type claimAnswer struct {
	Header map[string][]string `json:"header,omitempty"`
	Data   []byte              `json:"data,omitempty"`
}

// Once calls do, unless the request has an id and was made before: then the client gets the answer to that one. The request was admitted; do may
// be called by another goroutine.
func (r *Request) Once(do func()) {
	id := r.Msg.Header.Get(idHeader)
	if id == "" {
		do()
		return
	}
	if !r.desk.group.Go(func(context.Context) {
		answer, err := r.desk.claims.take(r, id)
		switch {
		case err != nil:
			r.End()
			r.Refuse(fmt.Errorf("%s: %w", r.endpoint.Name, err))
		case answer != nil:
			r.End()
			r.repeat(answer)
		default:
			do()
		}
	}) {
		r.End()
		r.Refuse(bus.ErrClosed)
	}
}

// IsOnce says whether the request is to be made once.
func (r *Request) IsOnce() bool { return r.Msg.Header.Get(idHeader) != "" }

// repeat answers as the request was answered before.
func (r *Request) repeat(a *claimAnswer) {
	reply := bus.NewMsg(r.Msg.Reply, a.Data)
	for name, values := range a.Header {
		reply.Header[name] = values
	}
	var err error
	if words := reply.Header.Get(bus.ErrorHeader); words != "" {
		err = errors.New(words)
	}
	r.endpoint.count(r.begun, err)
	r.Publish(reply)
}

// take claims a request for this node, or returns the answer that it has got.
func (c *claims) take(r *Request, id string) (*claimAnswer, error) {
	if err := bus.CheckName("header "+idHeader, bus.Clip(id, mostID)); err != nil {
		return nil, fmt.Errorf("%w: %w, at most %d", call.ErrArgument, err, mostID)
	}
	ctx := r.Context()
	table, err := c.open(ctx)
	if err != nil {
		return nil, ending(r, err)
	}
	mine := &claim{id: id, record: claimRecord{Node: c.node.ID.String(), Asked: checksum(r.Msg)}}
	again := time.NewTicker(claimLook)
	defer again.Stop()
	for {
		mine.revision, err = table.Create(ctx, id, mine.encode(), claimKept)
		if err == nil {
			r.claim = mine
			return nil, nil
		}
		if !errors.Is(err, bus.ErrExists) {
			return nil, ending(r, err)
		}
		answer, err := c.look(ctx, table, mine)
		switch {
		case err != nil:
			return nil, ending(r, err)
		case answer != nil:
			return answer, nil
		case mine.revision != 0:
			r.claim = mine
			return nil, nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, call.Ending(ctx)
		}
	}
}

// look looks at a request that is claimed: it has an answer, or its node is dead and it is claimed for this one, or it is to be waited for.
func (c *claims) look(ctx context.Context, table *bus.Table, mine *claim) (*claimAnswer, error) {
	entry, err := table.Get(ctx, mine.id)
	if errors.Is(err, bus.ErrNotFound) || err == nil && entry.Gone {
		return nil, nil // released: it is free again
	}
	if err != nil {
		return nil, err
	}
	var known claimRecord
	if err := json.Unmarshal(entry.Value, &known); err != nil {
		return nil, fmt.Errorf("the record of request %s: %w", mine.id, err)
	}
	if known.Asked != mine.record.Asked {
		return nil, fmt.Errorf("%w: header %s: %q names another request of the last %v: its subject, payload or headers differ", call.ErrArgument, idHeader, mine.id, answerKept)
	}
	if known.Answer != nil {
		return known.Answer, nil
	}
	if id, err := member.ParseID(known.Node); err == nil && c.node.Members.Alive(id) {
		return nil, nil
	}
	mine.revision, err = table.Renew(ctx, mine.id, mine.encode(), entry.Revision, claimKept)
	if errors.Is(err, bus.ErrChanged) { // somebody else was faster
		mine.revision, err = 0, nil
	}
	return nil, err
}

// record keeps the answer to a request.
func (c *claims) record(mine *claim, reply *bus.Msg) {
	mine.record.Answer = &claimAnswer{Header: reply.Header, Data: reply.Data}
	c.write(mine, func(ctx context.Context, table *bus.Table) error {
		_, err := table.Renew(ctx, mine.id, mine.encode(), mine.revision, answerKept)
		return err
	})
}

// release forgets a request that has done nothing.
func (c *claims) release(mine *claim) {
	c.write(mine, func(ctx context.Context, table *bus.Table) error {
		return table.DeleteRevision(ctx, mine.id, mine.revision)
	})
}

// write changes a claim's record. Who asks is not to wait for long if JetStream does not take it, but who asks again waits for it: so it is tried on.
func (c *claims) write(mine *claim, change func(context.Context, *bus.Table) error) {
	err := c.try(context.Background(), change)
	if err == nil || errors.Is(err, bus.ErrChanged) { // it was written after all, or the bucket was lost and made anew
		return
	}
	c.node.Log.Warn("what became of a request is not kept yet for who makes it again", zap.String("request", mine.id), zap.Error(err))
	begun := time.Now()
	c.group.Go(func(ctx context.Context) {
		for err != nil && !errors.Is(err, bus.ErrChanged) && ctx.Err() == nil && time.Since(begun) < answerKept {
			member.Pause(ctx, claimAgain)
			err = c.try(ctx, change)
		}
	})
}

func (c *claims) try(ctx context.Context, change func(context.Context, *bus.Table) error) error {
	ctx, cancel := context.WithTimeout(ctx, claimPatience)
	defer cancel()
	table, err := c.open(ctx)
	if err != nil {
		return err
	}
	return change(ctx, table)
}

func (c *claims) open(ctx context.Context) (*bus.Table, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.table == nil {
		table, err := c.node.Conn.OpenTable(ctx, c.node.Conn.RequestsTable())
		if err != nil {
			return nil, err
		}
		c.table = table
	}
	return c.table, nil
}

func (m *claim) encode() []byte {
	data, _ := json.Marshal(m.record) // it has nothing that JSON lacks
	return data
}

// checksum tells one request from another: all but how long it may take.
func checksum(msg *bus.Msg) string {
	parts := []string{msg.Subject, msg.Header.Get(contentType)}
	for _, name := range slices.Sorted(maps.Keys(msg.Header)) {
		if strings.HasPrefix(name, "Manta-") && name != deadlineHeader {
			parts = append(parts, name, msg.Header.Get(name))
		}
	}
	sum := sha256.New()
	for _, part := range append(parts, string(msg.Data)) {
		fmt.Fprintf(sum, "%d %s", len(part), part)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// ending is the word for the end of a request's time if that is why something failed.
func ending(r *Request, err error) error {
	if r.Context().Err() != nil {
		return call.Ending(r.Context())
	}
	return err
}
