// Package shared is memory that processes of one user on one machine share.
//
// Each process has a socket in a directory that is this user's alone, a [Neighbourhood]. Another one asks there, and gets open files: a
// [Segment], which it maps. Nothing but the sockets has a name, so when processes are killed only those are left behind; whoever
// opens the neighbourhood next removes them. A segment is gone when the last process that has it open or mapped lets go of it.
//
// # What is guaranteed
//
// A socket is reached, and answers, between processes of one user alone: the directory is closed to others, and both ends ask the kernel who
// the other is. A segment that was sent has no writer any more. What a process writes into its own mapping is seen by nobody else.
// A mapping stays when the process that it came from ends.
//
// Memory that [Segment.Map] and [Neighbourhood.Make] return is collected like any other: the mapping ends after the last slice of it is gone.
//
// # What it runs on
//
// Linux on amd64 and arm64, with pages of at most 8 KiB and /proc. Elsewhere [Open] fails with [ErrUnsupported].
package shared

import "errors"

// ErrUnsupported is returned by Open where processes cannot share memory.
var ErrUnsupported = errors.New("processes do not share memory on this platform")
