package logs

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap/zapcore"

	"manta/bus"
)

// lookAgain is how often whoever follows a log looks for the stream, as long as nobody has logged anything.
const lookAgain = time.Second

// Query says which lines are read.
type Query struct {
	Since  time.Time // zero: all that are kept
	Follow bool      // go on with those that come
	Limit  int       // how many of those that are there, the latest ones; 0: all
	Wants  func(*Line) bool
}

// AtLeast returns a condition for lines of a level or one that is more severe.
func AtLeast(level string) (func(*Line) bool, error) {
	least, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("level %q: want debug, info, warn or error", level)
	}
	return func(l *Line) bool { return l.level() >= least }, nil
}

// Read hands out lines, those of one node in their order, until there are no more, ctx ends, or yield returns false. What cannot be read is
// passed over.
func Read(ctx context.Context, conn *bus.Conn, q Query, yield func(*Line) bool) error {
	journal, err := conn.FindJournal(ctx, conn.Logs())
	for err == nil && journal == nil && q.Follow {
		if pause(ctx, lookAgain); ctx.Err() != nil {
			return nil
		}
		journal, err = conn.FindJournal(ctx, conn.Logs())
	}
	if q.Follow && ctx.Err() != nil {
		return nil
	}
	if err != nil || journal == nil {
		return err
	}
	since := q.Since
	if since.IsZero() {
		since = time.Unix(0, 0)
	}
	r := reader{query: q, yield: yield, live: q.Limit == 0}
	messages := journal.Read(ctx, since, conn.Log("*"))
	if q.Follow {
		messages = journal.Follow(ctx, since, r.caughtUp, conn.Log("*"))
	}
	for msg, err := range messages {
		if err != nil {
			return err
		}
		if !r.read(msg.Data) {
			return nil
		}
	}
	r.caughtUp()
	return nil
}

// reader picks the lines of a query.
type reader struct {
	query  Query
	yield  func(*Line) bool
	live   bool    // lines are handed out as they come
	latest []*Line // else the last ones so far
	over   bool
}

// read takes in a message, and says whether more is wanted.
func (r *reader) read(data []byte) bool {
	for l, err := range lines(data) {
		switch {
		case err != nil:
			return !r.over
		case !r.query.Wants(&l):
		case r.live:
			if r.over = !r.yield(&l); r.over {
				return false
			}
		default:
			if r.latest = append(r.latest, &l); len(r.latest) > r.query.Limit {
				r.latest[0] = nil
				r.latest = r.latest[1:]
			}
		}
	}
	return !r.over
}

// caughtUp hands out the last lines of those that were there, and says whether more is wanted.
func (r *reader) caughtUp() bool {
	r.live = true
	for _, l := range r.latest {
		if r.over = !r.yield(l); r.over {
			return false
		}
	}
	r.latest = nil
	return true
}
