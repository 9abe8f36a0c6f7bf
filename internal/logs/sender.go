package logs

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"manta/bus"
)

const (
	// gatherFor is how long lines are gathered before they are sent: as long as whoever follows a log hardly notices.
	gatherFor = 100 * time.Millisecond
	// batchBytes is how large a message becomes, and roomBytes how much may wait for one: a few seconds of a talkative node.
	batchBytes = 64 << 10
	roomBytes  = 1 << 20
	// rate bounds the bytes that a node sends in a second, in the long run: the stream of logs holds those of some seconds of one that is
	// carried away, and must hold what the others say.
	rate = 1 << 20
	// storeFor bounds the storing of a message, and againAfter is when one that could not be stored is tried again.
	storeFor   = 2 * time.Second
	againAfter = time.Second
	// lastFor bounds what Close waits for the last messages.
	lastFor = time.Second
)

// defaultLimits bound the stream of logs where nobody says otherwise.
var defaultLimits = bus.JournalLimits{Bytes: 16 << 20, Age: 24 * time.Hour}

// Config says whose lines a sender sends, and how.
type Config struct {
	Node   string // its id
	Name   string // of the node, for people
	Limits bus.JournalLimits
	Log    *zap.Logger // of the node
}

// Sender sends the lines of a node. A nil Sender sends none.
type Sender struct {
	config  Config
	conn    *bus.Conn
	journal *bus.Journal // serve's alone

	woken chan struct{} // holds one token when there is something to send
	end   context.CancelFunc
	ended sync.WaitGroup

	failing bool // serve's alone: the last message was not stored, and the log told so

	mu      sync.Mutex
	waiting pile
}

// Start starts a sender. The stream is made with the first line.
func Start(ctx context.Context, conn *bus.Conn, cfg Config) *Sender {
	s := &Sender{config: cfg, conn: conn, woken: make(chan struct{}, 1)}
	ctx, s.end = context.WithCancel(context.WithoutCancel(ctx))
	s.ended.Go(func() { s.serve(ctx) })
	return s
}

// Close sends what is left, and ends the sender.
func (s *Sender) Close() {
	if s == nil {
		return
	}
	s.end()
	s.ended.Wait()
}

// full says whether there is no room for a line of what somebody owns, and counts it if so.
func (s *Sender) full(owner string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting.refuse(owner)
}

// add takes a line of what somebody owns. It does not block.
func (s *Sender) add(line []byte, owner string) {
	s.mu.Lock()
	s.waiting.add(line, owner)
	s.mu.Unlock()
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

func (s *Sender) serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			s.last(context.WithoutCancel(ctx))
			return
		case <-s.woken:
		}
		pause(ctx, gatherFor)
		s.flush(ctx)
	}
}

// flush sends what waits, no faster than the rate.
func (s *Sender) flush(ctx context.Context) {
	for ctx.Err() == nil {
		batch := s.take()
		if batch == nil {
			return
		}
		for !s.send(context.WithoutCancel(ctx), batch) { // Close lets it be sent
			if pause(ctx, againAfter); ctx.Err() != nil {
				s.putBack(batch)
				return
			}
		}
		pause(ctx, time.Duration(len(batch))*time.Second/rate)
	}
}

// last sends what is left.
func (s *Sender) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastFor)
	defer cancel()
	for batch := s.take(); batch != nil && s.send(ctx, batch); batch = s.take() {
	}
}

// take returns the next message, nil if there is none. How much was left out is said behind what came before.
func (s *Sender) take() []byte {
	s.mu.Lock()
	batch, left := s.waiting.take()
	s.mu.Unlock()
	for _, owner := range slices.Sorted(maps.Keys(left)) {
		entry := zapcore.Entry{Time: time.Now(), Level: zapcore.WarnLevel, Message: fmt.Sprintf("%d lines were left out", left[owner])}
		line, err := encoder(s.config.Node, s.config.Name, Work{Owner: owner}).EncodeEntry(entry, []zapcore.Field{zap.Int64("left_out", left[owner])})
		if err == nil { // words and a number
			batch = append(batch, line.Bytes()...)
			line.Free()
		}
	}
	return batch
}

func (s *Sender) putBack(batch []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting.putBack(batch)
}

// send sends a message; false: it is to be sent again.
func (s *Sender) send(ctx context.Context, batch []byte) bool {
	ctx, cancel := context.WithTimeout(ctx, storeFor)
	defer cancel()
	if s.journal == nil {
		var err error
		if s.journal, err = s.open(ctx); err != nil { // there may be no room for one: those who listen hear it all the same
			s.fails(err)
			return s.conn.Publish(s.conn.Log(s.config.Node), "", batch) == nil
		}
	}
	if err := s.journal.Append(ctx, s.conn.Log(s.config.Node), batch); err != nil {
		s.journal = nil // its server may have lost it
		s.fails(err)
		return false
	}
	s.failing = false
	return true
}

// fails tells the node's log, once, that lines are not stored.
func (s *Sender) fails(err error) {
	if !s.failing {
		s.failing = true
		s.config.Log.Warn("what tasks and actors log is not stored", zap.Error(err))
	}
}

// open opens the stream of logs, with the bounds that are configured; else it has those that it has, and at first the default ones.
func (s *Sender) open(ctx context.Context) (*bus.Journal, error) {
	limits := s.config.Limits
	there, err := s.conn.FindJournal(ctx, s.conn.Logs())
	if err != nil || there != nil && limits == (bus.JournalLimits{}) {
		return there, err
	}
	if there == nil {
		limits = bus.JournalLimits{Bytes: cmp.Or(limits.Bytes, defaultLimits.Bytes), Age: cmp.Or(limits.Age, defaultLimits.Age)}
	}
	return s.conn.OpenJournal(ctx, s.conn.Logs(), s.conn.LogPrefix(), limits)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
