package objstore

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"manta/bus"
	"manta/internal/member"
)

// awaitFetched waits until a large value is here. If it is not yet, the wait is a span in the trace of ctx: that of a task which fetches an
// argument, or of whatever reads a ref.
func (s *Store) awaitFetched(ctx context.Context, scope *member.Scope, id ID, e *cached) error {
	if s.node.Tracer == nil || !trace.SpanContextFromContext(ctx).IsValid() {
		return scope.Await(ctx, e.done)
	}
	select {
	case <-e.done:
		return nil
	default:
	}
	_, span := s.node.Tracer.Start(ctx, "fetch object", trace.WithAttributes(
		attribute.String("manta.node", s.node.ID.String()), attribute.String("manta.object.id", id.String()),
		attribute.Int64("manta.object.size", e.blob.Size),
	))
	defer span.End()
	err := scope.Await(ctx, e.done)
	if failed := err; failed != nil || e.err != nil {
		if failed == nil {
			failed = e.err
		}
		span.SetStatus(codes.Error, failed.Error())
		span.SetAttributes(semconv.ErrorTypeKey.String(bus.ErrorCode(failed)))
	}
	return err
}
