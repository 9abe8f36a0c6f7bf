package node

import (
	"context"
	"iter"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/logs"
	"manta/internal/member"
)

// LogQuery says which lines [Logs] hands out; the zero LogQuery all that are kept.
type LogQuery struct {
	Since  time.Duration // not older than that; 0: all
	Follow bool          // go on with those that come, until ctx ends
	Node   string        // id or name
	Task   string        // id, of a call too, or function
	Actor  string        // id or class
	Level  string        // at least that: debug, info, warn, error; empty: debug
	Limit  int           // of those that are there, that many, the latest ones; 0: all
}

// LogLine is a line that a task or an actor has logged.
type LogLine struct {
	Time     time.Time      `json:"time"`
	Level    string         `json:"level"`
	Node     string         `json:"node"` // id
	NodeName string         `json:"node_name"`
	Owner    string         `json:"owner,omitempty"` // id of the node that submitted the task or call; empty for a durable task
	Task     string         `json:"task,omitempty"`  // function
	ID       string         `json:"id,omitempty"`    // of the task or call
	Attempt  int            `json:"attempt,omitempty"`
	Class    string         `json:"class,omitempty"`
	Actor    string         `json:"actor,omitempty"` // id
	Method   string         `json:"method,omitempty"`
	Message  string         `json:"message"`
	Fields   map[string]any `json:"fields,omitempty"`
}

// Logs hands out what tasks and actors of the cluster have logged with task.Logger, also on nodes that are gone: those of one node in their order,
// those of several about so. What is kept is bounded ([TaskLogs]), and the latest lines come a tenth of a second after they were logged. Where a node
// had to leave lines out, one stands that says how many. An error comes last; with Follow, the end of ctx is none.
func Logs(ctx context.Context, q LogQuery) iter.Seq2[LogLine, error] {
	return func(yield func(LogLine, error) bool) {
		scope, err := member.Unconfined(ctx)
		if err != nil {
			yield(LogLine{}, err)
			return
		}
		wants, err := q.wants()
		if err != nil {
			yield(LogLine{}, err)
			return
		}
		query := logs.Query{Follow: q.Follow, Limit: q.Limit, Wants: wants}
		if q.Since > 0 {
			query.Since = time.Now().Add(-q.Since)
		}
		if err := logs.Read(ctx, scope.Node.Conn, query, func(l *logs.Line) bool { return yield(LogLine(*l), nil) }); err != nil {
			yield(LogLine{}, err)
		}
	}
}

// wants returns the condition for a line.
func (q *LogQuery) wants() (func(*logs.Line) bool, error) {
	severe := func(*logs.Line) bool { return true }
	if q.Level != "" {
		var err error
		if severe, err = logs.AtLeast(q.Level); err != nil {
			return nil, err
		}
	}
	one := func(want string, of ...string) bool {
		for _, has := range of {
			if want == has {
				return true
			}
		}
		return want == ""
	}
	return func(l *logs.Line) bool {
		return severe(l) && one(q.Node, l.Node, l.NodeName) && one(q.Task, l.ID, l.Task) && one(q.Actor, l.Actor, l.Class)
	}, nil
}

// startLogs has the node send what its tasks and actors log, if it is to.
func (n *Node) startLogs(ctx context.Context, conn *bus.Conn, id member.ID, log *zap.Logger) *logs.Sender {
	c := n.config.TaskLogs
	if c.Local || n.config.ClientOnly {
		return nil
	}
	s := logs.Start(ctx, conn, logs.Config{
		Node: id.String(), Name: n.config.Name, Log: log, Limits: bus.JournalLimits{Bytes: c.MaxBytes, Age: c.MaxAge},
	})
	n.onClose(quietly(s.Close))
	return s
}

// showLogs shows what the node's tasks log elsewhere, if somebody looks at its log.
func (n *Node) showLogs(ctx context.Context) error {
	if n.config.TaskLogs.Quiet || !n.config.Logger.Core().Enabled(zap.ErrorLevel) {
		return nil
	}
	p, err := logs.Print(ctx, n.self.Conn, n.ID(), n.config.Logger, n.self.Reject)
	if err == nil {
		n.onClose(quietly(p.Close))
	}
	return err
}
