package task

import (
	"fmt"
	"strconv"

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
		o.node.Reject(msg, err)
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
	if l == nil { // forgotten
		for i := range m.results {
			o.stray(m.results[i].number, m.results[i].outcome)
		}
		return nil
	}
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
		p.unlisted = !known
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

// unserved handles the server's word that a message reached nobody. Of several lanes of a function only the one that sent it learns that.
func (o *owner) unserved(reply, subject string) {
	o.mu.Lock()
	defer o.unlock()
	number, err := strconv.ParseUint(bus.LastToken(reply), 10, 64)
	if err != nil || number >= uint64(len(o.numbered)) {
		return
	}
	l := o.numbered[number]
	if l == nil {
		return
	}
	if reply == l.doorReply {
		o.nobodyHome(l)
		return
	}
	node, _, _ := o.node.Conn.ParseNodeTask(subject)
	id, err := member.ParseID(node)
	if p := l.peers[id]; p != nil && err == nil {
		l.unserved(p, reply == l.pingReply, o.now())
	}
}
