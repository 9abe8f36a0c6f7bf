package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// pullChunks is how many chunks a reader has asked a holder for and not got, at most.
const pullChunks = 16

// Pull says how to read chunks from the memory of somebody who has them.
type Pull struct {
	Subject  string                 // at which the holder listens
	Question func(index int) []byte // which asks for a chunk
	Answer   func(msg *Msg) error   // why an answer is no chunk: ends the pull
	Alive    func() bool            // whether the holder may still answer
	Silence  time.Duration          // after which what is missing is asked for again, once, and then counts as lost
}

// pullTries is how often a chunk is asked for that does not fit its checksum.
const pullTries = 3

// Pull reads what an assembly lacks from a holder, a few chunks ahead. It fails with what Answer says; with [ErrNoResponders] when
// nobody listens or the holder is dead; with [ErrStalled] when it stays silent; and with [ErrChecksum].
func (c *Conn) Pull(ctx context.Context, a *Assembly, p Pull) error {
	if a.Whole() {
		return nil
	}
	inbox := c.freshInbox("pull")
	answers, err := c.nc.SubscribeSync(inbox + ".*")
	if err != nil {
		return fmt.Errorf("cannot subscribe to %s: %w", inbox, c.wordFor(err))
	}
	defer func() { _ = answers.Unsubscribe() }() // its one error is that the connection is closed
	if err := answers.SetPendingLimits(-1, 2*downloadWindow); err != nil {
		return c.wordFor(err)
	}
	puller := blobPuller{Pull: p, conn: c, assembly: a, inbox: inbox, answers: answers}
	silences, tries, heard := 0, 0, time.Now()
	for !a.Whole() {
		before := a.left
		err := puller.pass(ctx)
		if a.left < before {
			silences, tries, heard = 0, 0, time.Now()
		}
		switch {
		case err == nil:
		case errors.Is(err, errSilent) && silences == 0:
			silences++
		case errors.Is(err, errSilent), errors.Is(err, errInterrupted):
			return fmt.Errorf("%w: the holder of the blob", ErrStalled)
		case errors.Is(err, errInterrupted) && time.Since(heard) < readPatience:
			pause(ctx, tryAgain)
		case errors.Is(err, ErrChecksum) && tries < pullTries:
			tries++
		default:
			return err
		}
	}
	return nil
}

type blobPuller struct {
	Pull
	conn     *Conn
	assembly *Assembly
	inbox    string
	answers  *nats.Subscription
}

// pass asks once for everything that is missing. It goes on past a wrong chunk, and returns the first such error.
func (p *blobPuller) pass(ctx context.Context) (err error) {
	generation, heard := p.conn.Generation(), time.Now()
	asked := make(map[int]bool, pullChunks)
	chunk := int64(p.assembly.blob.Chunk)
	defer func() { p.conn.downloads.give(chunk * int64(len(asked))) }()
	for cursor := 0; ; {
		for len(asked) < p.ahead() {
			index := p.assembly.missing(cursor)
			if index < 0 {
				break
			}
			if len(asked) == 0 {
				if err := p.conn.downloads.take(ctx, chunk); err != nil {
					return err
				}
			} else if !p.conn.downloads.tryTake(chunk) {
				break // what comes makes room
			}
			asked[index] = true
			reply := p.inbox + "." + strconv.Itoa(index)
			if err := sendFailure(p.conn.nc.PublishRequest(p.Subject, reply, p.Question(index))); err != nil {
				return err
			}
			cursor = index + 1
		}
		if len(asked) == 0 {
			return err
		}
		msg, failed := p.conn.nextMsg(ctx, p.answers, generation, lookAgain)
		switch {
		case errors.Is(failed, errSilent) && !p.Alive():
			return ErrNoResponders
		case errors.Is(failed, errSilent) && time.Since(heard) < p.Silence:
			continue
		case errors.Is(failed, errUnserved):
			return ErrNoResponders
		case failed != nil:
			return failed
		}
		index, malformed := strconv.Atoi(LastToken(msg.Subject))
		if malformed != nil || !asked[index] {
			continue // of an earlier pass
		}
		heard = time.Now()
		delete(asked, index)
		p.conn.downloads.give(chunk)
		if msg.Header.Get(chunkHeader) == "" {
			return p.Answer(msg)
		}
		if failed := p.assembly.take(msg); failed != nil {
			if !errors.Is(failed, ErrChecksum) {
				return failed
			}
			err = failed
		}
	}
}

// ahead is how many chunks may be asked for: one until the first has proved that the blob is there.
func (p *blobPuller) ahead() int {
	if p.assembly.data == nil {
		return 1
	}
	return pullChunks
}

// SendChunk answers a question for a chunk, of bytes that are the whole blob. It copies no more of them than the connection's buffer
// takes. It returns false, and sends nothing, if there is no such chunk.
func (c *Conn) SendChunk(to string, blob Blob, index uint64, bytes []byte) (bool, error) {
	if index >= uint64(blob.chunks()) || int64(len(bytes)) != blob.Size {
		return false, nil
	}
	start := int(index) * blob.Chunk
	return true, c.wordFor(c.nc.PublishMsg(chunkMsg(to, int(index), bytes[start:start+blob.length(int(index))])))
}
