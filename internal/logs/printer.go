package logs

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"manta/bus"
)

// mostHeard is how many messages may wait for a log that is slow.
const mostHeard = 64

// Printer shows, in the log of the process that submitted them, what its tasks and calls log on other nodes.
type Printer struct {
	node   string
	mark   []byte // in every message that has a line for it
	log    *zap.Logger
	reject func(*bus.Msg, error)
	sub    *bus.Subscription
	heard  chan *bus.Msg
	missed atomic.Int64 // messages for which there was no room

	end   context.CancelFunc
	ended sync.WaitGroup
}

// Print begins to show the lines of a node's own tasks in log. reject is told of messages that cannot be read.
func Print(ctx context.Context, conn *bus.Conn, node string, log *zap.Logger, reject func(*bus.Msg, error)) (*Printer, error) {
	p := &Printer{node: node, mark: fmt.Appendf(nil, `"owner":%q`, node), log: log, reject: reject, heard: make(chan *bus.Msg, mostHeard)}
	ctx, p.end = context.WithCancel(context.WithoutCancel(ctx))
	var err error
	if p.sub, err = conn.Subscribe(conn.Log("*"), "", p.hear); err != nil {
		p.end()
		return nil, err
	}
	p.ended.Go(func() { p.serve(ctx) })
	return p, nil
}

// Close shows what has come, and ends the printer. A nil Printer has nothing to show.
func (p *Printer) Close() {
	if p == nil {
		return
	}
	_ = p.sub.Unsubscribe() // its one error is that the connection is closed
	p.end()
	p.ended.Wait()
}

// hear takes in a message, if there is something in it for this node.
func (p *Printer) hear(msg *bus.Msg) {
	if !bytes.Contains(msg.Data, p.mark) || bus.LastToken(msg.Subject) == p.node { // what this node runs itself is in its log
		return
	}
	select {
	case p.heard <- msg:
	default:
		p.missed.Add(1)
	}
}

func (p *Printer) serve(ctx context.Context) {
	var r repeats
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case msg := <-p.heard:
			p.show(&r, msg)
		case now := <-timer.C:
			p.printAll(r.due(now))
		case <-ctx.Done():
			for len(p.heard) > 0 {
				p.show(&r, <-p.heard)
			}
			p.printAll(r.rest())
			return
		}
		if at, ok := r.next(); ok {
			timer.Reset(time.Until(at))
		}
	}
}

// show prints those lines of a message that are to be shown.
func (p *Printer) show(r *repeats, msg *bus.Msg) {
	if n := p.missed.Swap(0); n > 0 {
		p.log.Warn("this log was too slow for what its tasks log on other nodes", zap.Int64("messages_left_out", n))
	}
	for l, err := range lines(msg.Data) {
		if err != nil {
			p.reject(msg, err)
			return
		}
		if l.Owner == p.node && r.add(&l, time.Now()) {
			p.print(&shown{Line: l})
		}
	}
}

func (p *Printer) printAll(all []shown) {
	for i := range all {
		p.print(&all[i])
	}
}

// print writes a line into the log. One that has ended a process elsewhere does not end this one.
func (p *Printer) print(s *shown) {
	message := s.Message
	if s.more > 0 {
		message = fmt.Sprintf("%s [repeated %dx across cluster]", message, s.more)
	}
	entry := p.log.Check(min(s.level(), zapcore.ErrorLevel), message)
	if entry == nil {
		return
	}
	entry.Time = s.Time
	fields := append([]zap.Field{zap.String(nodeKey, s.Node), zap.String("node_name", s.NodeName)}, s.work().Fields()...)
	for _, key := range slices.Sorted(maps.Keys(s.Fields)) {
		fields = append(fields, zap.Any(key, s.Fields[key]))
	}
	entry.Write(fields...)
}
