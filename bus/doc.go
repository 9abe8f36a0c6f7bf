// Package bus is Manta's use of NATS: typed messages, subject names, encodings, buckets.
//
// It is the only package that knows nats.go well. Everything above it says what it means (publish a frame, serve a
// subject, keep a record, store a blob) and leaves to bus how NATS does that.
//
// # Delivery
//
// [Conn.Publish] is at-most-once, in order from one connection to one subscription. nats.go is told never to buffer
// across a reconnect: a publish on a broken connection fails at once, and the layer that sent it decides what to do by its own
// rule. [Conn.Request] is answered, refused by [ErrNoResponders] (the request reached nobody), or unanswered.
// A [Bucket] stores what it acknowledged; [Bucket.Read] returns the bytes that were written or an error, never less.
//
// # Lost connections and lost buckets
//
// Each reconnect begins another [Conn.Generation], and so do messages that nats.go reports as dropped; [Conn.OnReconnect] tells of
// both. Subscriptions go on by themselves. A [Watch] may not: nats.go asks its consumer to go on behind the last revision, which a bucket
// that was made again reaches late or never. So watch again. A [Table] whose bucket is gone, because the server had it in memory, makes
// it again on the next access; what was in it is lost, and compare-and-set fails as it should. A [Bucket] of blobs does not: what was in
// it cannot be made up.
//
// # Permissions
//
// What the server does not permit fails with [ErrDenied] at once where somebody waits for an answer: [Conn.Request], buckets that are opened, and
// [Conn.Permitted], which is for what was only sent. [Conn.OnDenied] tells of everything else. All replies to a connection come beneath one
// subject, [Conn.Inbox]. What is to be answered where no answers go, as
// [Subjects.Answerable] has it, does not come out of [Conn.Subscribe]; whoever reads a channel of [Conn.SubscribeChan] asks [Conn.CheckReply].
//
// # Encodings
//
// A [Value] is an encoded Go value. Byte slices, strings and slices of numbers are stored raw, and read back without a
// copy where alignment allows; all else is MessagePack, with field names as the json tags say. Values that cannot be encoded are
// refused with the path to the offending field.
//
// A value comes back equal and of the same type, but for this: a [time.Time] keeps its instant and not its location. What an
// `any` holds comes back as nil, bool, int64 (uint64 above its range), float64, string, []byte, time.Time, []any or
// map[string]any. An embedded pointer to a struct that is nil comes back as a pointer to a zero struct, and an embedded
// struct's field that an outer one hides does not travel.
//
// # Frames
//
// Between Manta's own processes messages are frames: a first byte that neither MessagePack nor JSON ever starts with
// ([FrameMark]), a version, a kind, and fields in order. [Reader] decodes them: no input makes it panic or allocate beyond
// the input's own size.
package bus
