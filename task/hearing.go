package task

import (
	"fmt"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/member"
)

// heard handles every message to the owner's reply subjects.
func (o *owner) heard(msg *bus.Msg) {
	if subject, unserved := bus.Unserved(msg); unserved {
		o.unserved(msg.Subject, subject)
		return
	}
	if err := o.handle(msg); err != nil {
		o.node.Log.Warn("a malformed reply", zap.String("subject", msg.Subject), zap.Error(err))
	}
}

func (o *owner) handle(msg *bus.Msg) error {
	m, err := readGuestMessage(msg.Data, o.results)
	if err != nil {
		return err
	}
	if m.kind == replyFrame {
		o.results = m.results
		defer clear(o.results) // their values must not outlive those who want them
	}
	o.mu.Lock()
	defer o.unlock()
	if m.lane >= uint64(len(o.numbered)) {
		return fmt.Errorf("%w: there is no lane %d", bus.ErrMalformed, m.lane)
	}
	l := o.numbered[m.lane]
	if p := o.peerOf(l, m.host); p != nil {
		o.finished.Grow(len(m.results))
		l.hear(p, &m, o.now())
		o.watch(l)
	}
	return nil
}

// peerOf returns the peer that a node is. A node that is not in the table is one if it may have just got the task that knocks; else it
// is gone, and what it says is late.
func (o *owner) peerOf(l *lane, id member.ID) *peer {
	p := l.peers[id]
	if _, known := o.servers[id]; p == nil && (known || l.door != nil) {
		p = o.join(l, id, 0)
	}
	return p
}

func (o *owner) join(l *lane, id member.ID, window int) *peer {
	p := l.join(id, window, o.now())
	if p.subject == "" {
		p.subject = o.node.Conn.NodeTask(id.String(), l.function)
	}
	return p
}

// unserved handles the server's word that a message reached nobody: it says where the message was to go, and whether it was a knock.
func (o *owner) unserved(reply, subject string) {
	o.mu.Lock()
	defer o.unlock()
	if node, _, ok := o.node.Conn.ParseNodeTask(subject); ok {
		id, err := member.ParseID(node)
		for _, l := range o.lanes {
			if p := l.peers[id]; p != nil && err == nil && p.subject == subject {
				l.unserved(p, reply == o.pingInbox, o.now())
			}
		}
		return
	}
	number, err := strconv.Atoi(bus.LastToken(reply))
	if err == nil && number < len(o.numbered) && strings.Contains(reply, doorToken) {
		o.nobodyHome(o.numbered[number])
	}
}
