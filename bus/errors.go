package bus

import (
	"errors"
	"fmt"
)

var (
	// ErrNoNode is returned by everything that needs a node and finds none in its ctx. Nothing was sent.
	ErrNoNode = RegisterError("no_node", errors.New("no node in ctx: use the ctx that node.Start or embedded.Start returned, or n.Context(ctx)"))

	// ErrClosed is returned by calls on a node that was closed, or whose NATS server takes its credentials no more, which the error then says. Nothing
	// was sent.
	ErrClosed = RegisterError("closed", errors.New("node is closed: start another with node.Start or embedded.Start"))

	// ErrConfined is the error of what a node with Config.Caller cannot do. Nothing was sent.
	ErrConfined = RegisterError("confined", errors.New("a node with Config.Caller calls functions, with arguments up to 64 KiB, and does nothing else: "+
		"use a node without it, and the permissions of a worker"))

	// ErrNoResponders is returned by Conn.Request when nobody serves the subject. The request reached nobody.
	ErrNoResponders = errors.New("nobody serves the subject")

	// ErrMessageSize is returned by Conn.Publish and PublishMsg for a message that is larger than the server takes. Nothing was sent.
	ErrMessageSize = errors.New("larger than a message may be on this server")

	// ErrNoJetStream is returned by Connect when the NATS server runs without JetStream.
	ErrNoJetStream = errors.New("the NATS server has no JetStream: start it with `nats-server -js`, enable JetStream for the account, or use embedded.Start")

	// ErrBlobGone is returned by Bucket.Read when the blob, or a part of it, is not in the bucket.
	ErrBlobGone = errors.New("blob is not in the bucket")

	// ErrNoBucket is returned by Bucket.Read when JetStream does not serve the bucket: for a moment, or because its server has lost it.
	// Conn.OpenBucket waits for it, or makes it again.
	ErrNoBucket = errors.New("JetStream does not serve the bucket")

	// ErrChecksum is returned by Bucket.Read when a chunk's bytes differ from what was written.
	ErrChecksum = errors.New("checksum mismatch")

	// ErrFull is the error of what JetStream has no room for: an object, also one which would make the bucket larger than Config.ObjectQuota
	// allows, or a durable task. What was stored before stays, and the stream takes more as soon as there is room.
	ErrFull = RegisterError("store_full", errors.New("JetStream has no room for it: free objects, raise Config.ObjectQuota "+
		"(the max_bytes of the bucket's stream) or the stream's own limits, or the server's max_mem, max_file or disk"))

	// ErrMalformed is returned for a frame that does not decode: it was cut short, or is of another version.
	ErrMalformed = RegisterError("malformed", errors.New("malformed frame"))

	// ErrNoReply is the error of a question that does not say where its answer is to go.
	ErrNoReply = fmt.Errorf("%w: it says nobody to reply to", ErrMalformed)

	// ErrVersion is returned for a frame, or by the start of a node for a cluster, of another version; the error names both. A frame of
	// another version is ErrMalformed too: nothing of it was read.
	ErrVersion = RegisterError("version", errors.New("another version of frames"))
)
