package member

import (
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"manta/bus"
)

// rejectedLogEvery is how often at most a node logs what it rejects: whoever sends garbage is not to fill the log with it.
const rejectedLogEvery = time.Second

// rejects counts the messages that a node rejects.
type rejects struct {
	mu     sync.Mutex
	count  int64
	logged time.Time
	unsaid int64 // since then
}

// note counts a message, and returns of how many the log is to tell now.
func (r *rejects) note(now time.Time) (tell int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	r.unsaid++
	if now.Sub(r.logged) < rejectedLogEvery {
		return 0
	}
	tell, r.logged, r.unsaid = r.unsaid, now, 0
	return tell
}

// Reject drops a message that cannot be read, is of another version, or asks without saying whom to answer. It is counted, and the log
// tells of some. Whoever sent it with a reply subject gets the error, in the form that plain clients know.
func (n *Node) Reject(msg *bus.Msg, err error) {
	refused := bus.RefusalOf(msg) // to what this node has sent
	if refused != nil {
		err = refused
	}
	n.countRejected(msg.Subject, err)
	if refused != nil || !n.Conn.Answerable(msg.Reply) {
		return
	}
	code := bus.ErrorCode(err)
	if errors.Is(err, bus.ErrVersion) {
		code = bus.ErrorCode(bus.ErrVersion)
	}
	if err := n.Conn.PublishMsg(bus.NewRefusal(msg.Reply, "400", code, err)); err != nil {
		n.Log.Debug("the sender of a rejected message was not told", zap.Error(err))
	}
}

// countRejected counts a message that came to a subject.
func (n *Node) countRejected(subject string, err error) {
	if tell := n.rejects.note(time.Now()); tell > 0 {
		n.Log.Warn("messages were rejected", zap.Int64("since the last word", tell), zap.String("subject", subject), zap.Error(err))
	}
}

// Rejected is how many messages the node has rejected.
func (n *Node) Rejected() int64 {
	n.rejects.mu.Lock()
	defer n.rejects.mu.Unlock()
	return n.rejects.count
}
