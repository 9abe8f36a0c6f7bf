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
	m, err := readGuestMessage(msg.Data)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.unlock()
	if m.lane >= uint64(len(o.numbered)) {
		return fmt.Errorf("%w: there is no lane %d", bus.ErrMalformed, m.lane)
	}
	l := o.numbered[m.lane]
	l.hear(o.peerOf(l, m.host), &m, o.now())
	o.watch(l)
	return nil
}

// peerOf returns the peer that a node is, which may not be in the table yet, or not any more.
func (o *owner) peerOf(l *lane, id member.ID) *peer {
	if p := l.peers[id]; p != nil {
		return p
	}
	return o.join(l, id, 0)
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
				p.strike()
			}
		}
		return
	}
	number, err := strconv.Atoi(bus.LastToken(reply))
	if err == nil && number < len(o.numbered) && strings.Contains(reply, doorToken) {
		o.nobodyHome(o.numbered[number])
	}
}
