// Package actor is state with a name and an order.
//
//	type ModelServer struct {
//		Path  string // exported fields are the start value and travel
//		model *Model // the rest is the instance's own
//	}
//
//	func (m *ModelServer) Start(ctx context.Context) error { … }                    // optional: runs once, where it lives
//	func (m *ModelServer) Predict(ctx context.Context, x float64) (float64, error) { … }
//	func (m *ModelServer) Close() error { … }                                       // optional: runs last
//
//	var modelServers = actor.Define[ModelServer]("model_server")
//
//	server := modelServers.New(ctx, ModelServer{Path: "/models/m.pt"})
//	predict := actor.Method(server, (*ModelServer).Predict)   // a task.Func: Go, On, Call, Map, With
//	y, err := predict.Call(ctx, 10)
//
// An actor is a value of a struct type that lives on one node, in one cell, with a mailbox that is a NATS subject. Its
// methods with the signatures func(ctx), func(ctx, A) and func(ctx, A, B), returning (R, error), can be called from every node.
//
// # Order
//
// Calls from one process to one actor, through handles that are equal, run in the order they were made, one at a time, also when an argument is a ref that
// has no value yet: later calls of that process wait behind it. [Concurrency] drops the order and runs several at a time; [Group] gives
// methods a line of their own, beside the others. A stop or kill waits behind no method.
//
// # Delivery
//
// A call runs at most once. A message that is lost, or a connection that is cut and comes back, fails none: what did not arrive is sent
// again, in order. If the actor's node is lost, calls under way fail with [ErrUnavailable], which means that they may have
// run; later ones fail with [ErrDead]. A Start that fails kills the actor, and every call fails with its error.
//
// With task.Retries and [task.RetryOn], at a call or in [MethodOptions], a method that failed is called again after a pause: as a later call,
// behind those that were made meanwhile.
//
// A call means the same wherever the actor lives: arguments and results are copies, also on the caller's own node, where no message is
// sent.
//
// An actor of a class with [Restarts] is made again on another node, with the state that Start gives it, or that of its last snapshot if it is a
// [Snapshotter]. Calls that did not run wait for that and go there in their order; so do those under way that have task.Retries left, which
// may run twice. The others fail with ErrUnavailable. Its answers never come from a node
// that was taken for lost, but a method may run there to its end: see [Epoch].
//
// # Several that do the same
//
// A [Pool] gives calls of one method to the actors that are free, keeps what waits, and gives the results in the order of submission or as
// they come.
//
// # What you must do
//
// Obey ctx. Methods of a sequential actor need no locks; with Concurrency they do.
//
// Keep a handle of what you need: an actor is stopped, after the calls that wait, when no process has a handle of it any more, or when the
// node that created it is gone. A Ref in a variable, an argument, a result, an object or another actor's field is one, and so is what
// [Method] returned, and a call under way; a name is none. A handle ends when Go's collector finds that it has, in a process that does nothing
// within half a minute, or ten to fifteen seconds after its process has died. [Ref.Stop] waits for none of that. [Detached] is for
// actors that others are to find by their names, and that outlive their creator. Actors that keep each other's handles, or their own, live
// until they are stopped.
package actor
