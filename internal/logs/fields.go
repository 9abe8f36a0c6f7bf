package logs

import (
	"fmt"

	"go.uber.org/zap"
)

// The fields by which log lines say what they are about. A node's logger says itself which node that is.
const (
	nodeKey    = "node"
	peerKey    = "peer"
	taskKey    = "task"
	idKey      = "id"
	attemptKey = "attempt"
	classKey   = "class"
	actorKey   = "actor"
	methodKey  = "method"
)

// Node is the node that logs.
func Node(id fmt.Stringer) zap.Field { return zap.Stringer(nodeKey, id) }

// Peer is another node.
func Peer(id fmt.Stringer) zap.Field { return zap.Stringer(peerKey, id) }

// Task is a task's function.
func Task(function string) zap.Field { return zap.String(taskKey, function) }

// ID is a task's id, or a call's: that of its result.
func ID(id fmt.Stringer) zap.Field { return zap.Stringer(idKey, id) }

// Key is the name of a durable task where it is stored.
func Key(key string) zap.Field { return zap.String("key", key) }

// Attempt is a task's attempt, 1 the first time.
func Attempt(n int) zap.Field { return zap.Int(attemptKey, n) }

// Class is an actor's class.
func Class(name string) zap.Field { return zap.String(classKey, name) }

// Actor is an actor's id.
func Actor(id string) zap.Field { return zap.String(actorKey, id) }

// Method is an actor's method.
func Method(name string) zap.Field { return zap.String(methodKey, name) }
