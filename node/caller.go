package node

import (
	"context"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
	"manta/task"
)

// startCaller starts the parts of a node that only calls functions.
func (n *Node) startCaller(ctx context.Context, conn *bus.Conn, id member.ID, closing <-chan struct{}, log *zap.Logger) (err error) {
	members := member.EmptyTable(ctx, id, log)
	n.onClose(quietly(members.Close))
	n.self = &member.Node{
		ID: id, Conn: conn, Capacity: member.NewCapacity(nil), Members: members, Log: log, Closing: closing, Confined: true, Tracer: tracerOf(n.config.TracerProvider),
	}
	n.objects = objstore.OpenConfined(ctx, n.self)
	n.objects.SetRefTTL(n.config.RefTTL)
	n.onClose(quietly(n.objects.Close))
	if n.tasks, err = task.StartConfined(ctx, n.self); err != nil {
		return err
	}
	n.onClose(n.tasks.Close)
	return conn.Permitted(ctx)
}
