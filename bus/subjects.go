package bus

import (
	"fmt"
	"strings"
)

// Workers is the queue group of every subject that balances over the nodes which serve it.
const Workers = "workers"

// Subjects names every subject and bucket of one namespace. No other file spells one.
type Subjects struct {
	namespace string
	prefix    string
}

// NewSubjects returns the names of a namespace.
func NewSubjects(namespace string) Subjects {
	return Subjects{namespace: namespace, prefix: "manta." + namespace + "."}
}

// Task is the door of a function for plain NATS clients: queue group [Workers].
func (s Subjects) Task(function string) string { return s.prefix + "task." + function }

// Work is the door of a function for frames: queue group [Workers].
func (s Subjects) Work(function string) string { return s.prefix + "work." + function }

// Service is the name of the NATS service whose instances are the nodes.
func (s Subjects) Service() string { return "manta-" + s.namespace }

// WorkerService is the name of the NATS service whose instances are workers that are no nodes.
func (s Subjects) WorkerService() string { return s.Service() + "-worker" }

// Worker takes plain requests for a function at one worker that is no node.
func (s Subjects) Worker(worker, function string) string {
	return s.prefix + "worker." + worker + "." + function
}

// ParseWorker takes apart what Worker made.
func (s Subjects) ParseWorker(subject string) (worker, function string, ok bool) {
	rest, ok := strings.CutPrefix(subject, s.prefix+"worker.")
	if !ok {
		return "", "", false
	}
	worker, function, ok = strings.Cut(rest, ".")
	return worker, function, ok && CheckName("worker", worker) == nil && CheckName("function", function) == nil
}

// NodeTask takes frames for a function at one node.
func (s Subjects) NodeTask(node, function string) string {
	return s.prefix + "node." + node + ".task." + function
}

// NodeTasks matches every NodeTask of one node.
func (s Subjects) NodeTasks(node string) string { return s.NodeTask(node, "*") }

// IsNodeTask says whether NodeTask made a subject.
func (s Subjects) IsNodeTask(subject string) bool {
	return strings.HasPrefix(subject, s.prefix+"node.")
}

// ParseNodeTask takes apart what NodeTask made.
func (s Subjects) ParseNodeTask(subject string) (node, function string, ok bool) {
	rest, ok := strings.CutPrefix(subject, s.prefix+"node.")
	if !ok {
		return "", "", false
	}
	node, function, ok = strings.Cut(rest, ".task.")
	return node, function, ok
}

// NodeGeneration answers which generation the connection of a node is in.
func (s Subjects) NodeGeneration(node string) string {
	return s.prefix + "node." + node + ".generation"
}

// NodeObject answers questions about the objects that a node owns.
func (s Subjects) NodeObject(node string) string { return s.prefix + "node." + node + ".object" }

// NodeObjectChunk gives chunks of large objects that a node has in memory.
func (s Subjects) NodeObjectChunk(node string) string { return s.NodeObject(node) + ".chunk" }

// NodeWhy answers, in words, why a task that the node owns has no result yet.
func (s Subjects) NodeWhy(node string) string { return s.prefix + "node." + node + ".why" }

// NodeClock answers what time it is at a node.
func (s Subjects) NodeClock(node string) string { return s.prefix + "node." + node + ".clock" }

// NodeDrain has a node drain and leave.
func (s Subjects) NodeDrain(node string) string { return s.prefix + "node." + node + ".drain" }

// NodeProfile answers with profiles of a node's process.
func (s Subjects) NodeProfile(node string) string { return s.prefix + "node." + node + ".profile" }

// NodeActors answers questions about the actors that a node has asked for.
func (s Subjects) NodeActors(node string) string { return s.prefix + "node." + node + ".actor" }

// NodeBirths answers what has become of a request for an actor that the node was sent, or may have been, and whether an actor lives there.
func (s Subjects) NodeBirths(node string) string { return s.prefix + "node." + node + ".birth" }

// NodeBundles takes what creators of placement groups ask of a node.
func (s Subjects) NodeBundles(node string) string { return s.prefix + "node." + node + ".bundle" }

// NodeGroups answers questions about the placement groups that a node has made.
func (s Subjects) NodeGroups(node string) string { return s.prefix + "node." + node + ".group" }

// Actor is the mailbox of one actor, a token a method.
func (s Subjects) Actor(id, method string) string { return s.prefix + "actor." + id + "." + method }

// ActorMailbox matches every method of one actor.
func (s Subjects) ActorMailbox(id string) string { return s.Actor(id, "*") }

// Call is the door for calling an actor that may be anywhere, by its class, its id and the method: queue group [Workers].
func (s Subjects) Call(class, id, method string) string {
	return s.prefix + "call." + class + "." + id + "." + method
}

// Create is the door for creating actors of a class: queue group [Workers].
func (s Subjects) Create(class string) string { return s.prefix + "create." + class }

// Object is the door for plain NATS clients to an object: queue group [Workers].
func (s Subjects) Object(id string) string { return s.prefix + "object." + id }

// Event is where a node tells what happens to something of a kind: its tasks, actors, objects, or itself.
func (s Subjects) Event(kind, node string) string { return s.EventPrefix() + kind + "." + node }

// EventPrefix begins every Event.
func (s Subjects) EventPrefix() string { return s.prefix + "event." }

// Events names the stream of what nodes tell.
func (s Subjects) Events() string { return s.bucket("events") }

// Log is where a node sends what its tasks and actors log.
func (s Subjects) Log(node string) string { return s.LogPrefix() + node }

// LogPrefix begins every Log.
func (s Subjects) LogPrefix() string { return s.prefix + "log." }

// Logs names the stream of what tasks and actors log.
func (s Subjects) Logs() string { return s.bucket("logs") }

// NodeState answers questions about what is at a node at this moment.
func (s Subjects) NodeState(node string) string { return s.prefix + "node." + node + ".state" }

// Reply is the root of one process's reply subjects.
func (s Subjects) Reply(user, random string) string { return s.prefix + "reply." + user + "." + random }

// Answerable says whether the reply subject of a request is one for replies. NATS lets a client name any, also one to which it may not publish,
// and who answers does so with his own rights: so the server's subjects, and those of nodes and functions, are none.
func (s Subjects) Answerable(reply string) bool {
	switch {
	case reply == "", reply[0] == '$':
		return false
	case strings.HasPrefix(reply, "manta."):
		rest, ours := strings.CutPrefix(reply, s.prefix) // joined first, the two would be an allocation with every frame
		return ours && strings.HasPrefix(rest, "reply.")
	}
	return true
}

// NodesTable names the bucket of node records.
func (s Subjects) NodesTable() string { return s.bucket("nodes") }

// LeasesTable names the bucket of node leases.
func (s Subjects) LeasesTable() string { return s.bucket("leases") }

// ActorsTable names the bucket of the actor directory.
func (s Subjects) ActorsTable() string { return s.bucket("actors") }

// RequestsTable names the bucket of plain requests that are to be made once.
func (s Subjects) RequestsTable() string { return s.bucket("requests") }

// ObjectsBucket names the object store bucket.
func (s Subjects) ObjectsBucket() string { return s.bucket("objects") }

// Durable is where the durable tasks of a function are stored: key is two tokens, the task's name.
func (s Subjects) Durable(function, key string) string {
	return s.DurablePrefix() + function + "." + key
}

// DurablePrefix begins every Durable.
func (s Subjects) DurablePrefix() string { return s.prefix + "durable." }

// ParseDurable takes apart what Durable made.
func (s Subjects) ParseDurable(subject string) (function, key string, ok bool) {
	rest, ok := strings.CutPrefix(subject, s.DurablePrefix())
	if !ok {
		return "", "", false
	}
	function, key, ok = strings.Cut(rest, ".")
	return function, key, ok && strings.Count(key, ".") == 1
}

// Holders reaches every node that takes durable tasks: which one has a certain task is nobody's knowledge but its own.
func (s Subjects) Holders() string { return s.prefix + "holders" }

// Result is where JetStream announces the result of a durable task once it is stored.
func (s Subjects) Result(key string) string { return s.prefix + "result." + key }

// Freed tells every node that a durable object, or a durable task's result, was freed: who has read it is nobody's knowledge.
func (s Subjects) Freed() string { return s.prefix + "freed" }

// DurableQueue names the stream of durable tasks.
func (s Subjects) DurableQueue() string { return s.bucket("durable") }

// ResultsTable names the bucket of the results of durable tasks.
func (s Subjects) ResultsTable() string { return s.bucket("results") }

func (s Subjects) bucket(name string) string { return "manta_" + s.namespace + "_" + name }

// LastToken returns what follows the last dot of a subject: a function's or a method's name.
func LastToken(subject string) string { return subject[strings.LastIndexByte(subject, '.')+1:] }

// CheckName returns an error unless name can stand in a subject as one token: letters, digits, '_' and '-', at least one.
// The error names what, for example "task name".
func CheckName(what, name string) error {
	if name == "" {
		return fmt.Errorf("%s is empty: use letters, digits, '_' and '-'", what)
	}
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
		default:
			return fmt.Errorf("%s %q contains %q: use letters, digits, '_' and '-'", what, name, r)
		}
	}
	return nil
}
