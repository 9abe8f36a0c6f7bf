package node

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/member"
	"manta/objstore"
	"manta/task"
)

// Config says what a node is. The zero Config is a node on the local NATS server with as many CPUs as GOMAXPROCS.
type Config struct {
	// URL of the NATS server, or several, comma-separated. Default nats://127.0.0.1:4222.
	URL string
	// Name is shown to people; it need not be unique. Default: the node's id.
	Name string
	// Namespace separates clusters that share a NATS server: letters, digits, '_' and '-'. Default "default".
	Namespace string
	// CPUs is how many CPUs the node offers: a logical number, enforced by admission. 0 means GOMAXPROCS; for none say
	// Resources{"CPU": 0}.
	CPUs float64
	// Resources are what else the node offers, by name, in any unit that tasks ask in. "CPU" here takes the place of CPUs.
	Resources map[string]float64
	// Labels describe the node to others, and task.Labels selects by them: names and values as in Kubernetes, for example
	// "zone": "eu" or "example.com/arch": "arm".
	Labels map[string]string
	// A ClientOnly node submits work and serves none.
	ClientOnly bool
	// Caller is not empty on a node that only calls functions, with the permissions of docs/permissions/caller.conf, where it stands for "alice":
	// letters, digits, '_' and '-'. Such a node asks for tasks as a plain NATS client does, and needs neither JetStream nor a place among the nodes.
	// Arguments may have 64 KiB, results what fits into a message of the server's. What else is asked of it (large objects, refs of
	// others, actors, streams, durable tasks, members) fails with bus.ErrConfined, and a function that its user may not call with
	// bus.ErrDenied. A node of which nothing is heard for four seconds counts as lost. Of a function's options those of the nodes that serve it count, and of its own Retries, for nodes that are lost, and Timeout.
	Caller string
	// Registry is what the node serves: the functions and the actor classes that were defined in it before the node started. Default
	// task.DefaultRegistry.
	Registry *task.Registry
	// Logger hears of what goes wrong behind the scenes. Default: silence.
	Logger *zap.Logger
	// TracerProvider makes OpenTelemetry spans of the tasks and actor calls that this node submits and runs, and of the large objects that they
	// fetch. nil means OpenTelemetry's global one, if the program has set one before it starts the node; with none, and with package noop's, there are no
	// spans, and the trace of a ctx still goes with its tasks and calls.
	TracerProvider trace.TracerProvider
	// MaxPending is how many requests of plain NATS clients may wait at this node, for tasks and for actors each; more are refused with an
	// overload error. Default 1000.
	MaxPending int
	// PendingTimeout is how long such a request for a task, for a new actor, or for one that is made again, may wait until a node has room for it, if it does not say with Manta-Deadline how long
	// it may take; then it is refused with an overload error, too. 0 means 4 s, less than the 5 s for which the nats command waits;
	// negative means that it waits as long as it takes.
	PendingTimeout time.Duration
	// MaxBatch is how many tasks or results travel in one message at most; 1 sends each by itself. Default 64.
	MaxBatch int
	// CacheBytes bounds what the node keeps of other nodes' large objects. Default 1 GiB.
	CacheBytes int64
	// SharedDir is where this node and others of the same user on this machine share large objects: a directory on a file system in memory.
	// A process gets those that a neighbour has without a transfer. "off" shares nothing. Default: /dev/shm, if it can be used.
	SharedDir string
	// UploadWindow bounds the bytes of large objects that all uploads of the node together have sent to JetStream and not had acknowledged.
	// Uploads take turns at it, chunk by chunk, in the order of asking. At least 64 KiB. Default 64 MiB; a smaller one spares servers
	// with little memory, one below 8 MiB makes uploads slower.
	UploadWindow int64
	// LeaseTTL is how long the node may be silent before others take it for dead; they know within one and a half times that. In whole seconds,
	// from 1 s to 1 min, and the same on all nodes. Default 2 s; a longer one spares a cluster whose machines or servers stall now and then.
	LeaseTTL time.Duration
	// DrainTimeout bounds the Drain that Run does. Default 30 s.
	DrainTimeout time.Duration
	// InfeasibleAfter is how long a task or a new actor of this node that no node could ever have waits for one to join before it, or every
	// call of the actor, fails with task.ErrInfeasible. 0 means 10 s; negative means that it waits for ever, as Ray's does.
	InfeasibleAfter time.Duration
	// LineageBudget is how many bytes this node takes to remember how the large results of its tasks came about, so that those that are lost
	// can be computed again. The oldest are forgotten first. 0 means 64 MiB, -1 that nothing is remembered.
	LineageBudget int64
	// EventRate is of how many tasks and calls a second, that this node submits, everything is told in the stream of events, which command line and
	// State API read what has ended from; in a burst five times as many. The others are counted, and told of if they fail. 0 means 1000, -1 that
	// the node tells nothing.
	EventRate int
	// EventBytes and EventAge bound the stream of events of the whole namespace: the oldest go first. The bounds of the node that started last
	// count, and 0 leaves them as they are: 64 MiB, some 150,000 tasks, and 24 hours at first.
	EventBytes int64
	EventAge   time.Duration
	// TaskLogs says what becomes of what tasks and actors log with task.Logger, beside that it is in the Logger of the node where they run.
	TaskLogs TaskLogs
	// Storage of large objects when this node is the first to make their bucket: jetstream.FileStorage, the default, or
	// jetstream.MemoryStorage.
	Storage jetstream.StorageType
	// Replicas is on how many JetStream servers each bucket is kept, 1 to 5: with 3, one server may be lost for good and no record
	// or large object with it. More than 1 needs as many servers in one NATS cluster. A bucket that another node has made with
	// fewer gets as many, and one that has more keeps them. Default 1.
	Replicas int
	// ObjectQuota bounds the bytes that large objects of the whole namespace may take in JetStream, with some 200 bytes for each of their
	// chunks of 512 KiB. A Put over it gives a ref whose reads fail with bus.ErrFull, and a task whose result is over it fails so. The
	// bound of the node that started last counts. 0 leaves it as it is: without bound, at first.
	ObjectQuota int64
	// RefTTL is for how long an object of this node is kept when a ref to it was given to somebody who is no node: in a reply to a plain NATS
	// client, as JSON, or by Ref.ID. Default 1 hour.
	RefTTL time.Duration
	// Options go to nats.go as they are: credentials, TLS, an in-process server.
	Options []nats.Option
	// OnClosed, if not nil, is called once after Close has ended the connection.
	OnClosed func()
}

// TaskLogs says what becomes of what tasks and actors log. The zero TaskLogs is what most want: lines are kept in the stream of logs, which [Logs] and
// the command line read, and those of the tasks and calls that this node submits are shown in its Logger, wherever they run: what many tasks log
// alike within five seconds once, with a count.
type TaskLogs struct {
	// Local lines stay in the Logger of the node where they are logged.
	Local bool
	// A Quiet node does not show what its tasks log on other nodes.
	Quiet bool
	// MaxBytes and MaxAge bound the stream of logs of the whole namespace: the oldest go first. The bounds of the node that began to log last count,
	// and 0 leaves them as they are: 16 MiB and 24 hours at first.
	MaxBytes int64
	MaxAge   time.Duration
}

// minLogBytes is the smallest TaskLogs.MaxBytes: some messages of the largest size.
const minLogBytes = 1 << 20

// sharingOff is the Config.SharedDir of a node that shares no memory; defaultSharedDir is where the others do.
const (
	sharingOff       = "off"
	defaultSharedDir = "/dev/shm"
)

// minEventBytes is the smallest Config.EventBytes: a few messages of events of the largest size.
const minEventBytes = 1 << 20

// defaultEventRate fills the stream of events in its default size within two and a half minutes if so many tasks come all the time.
const defaultEventRate = 1000

// minUploadWindow is the smallest Config.UploadWindow: chunks are not larger than it, and smaller ones would be slow.
const minUploadWindow = 64 << 10

// withDefaults returns the config with defaults filled in.
func (c Config) withDefaults(id member.ID) Config {
	if c.URL == "" {
		c.URL = nats.DefaultURL
	}
	if c.Name == "" {
		c.Name = id.String()
	}
	if c.Namespace == "" {
		c.Namespace = "default"
	}
	if c.CPUs == 0 {
		c.CPUs = float64(runtime.GOMAXPROCS(0))
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Registry == nil {
		c.Registry = task.DefaultRegistry
	}
	if c.MaxPending == 0 {
		c.MaxPending = 1000
	}
	if c.MaxBatch == 0 {
		c.MaxBatch = 64
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = 1 << 30
	}
	if c.RefTTL == 0 {
		c.RefTTL = objstore.DefaultRefTTL
	}
	if c.EventRate == 0 {
		c.EventRate = defaultEventRate
	}
	if c.UploadWindow == 0 {
		c.UploadWindow = 64 << 20
	}
	if c.LeaseTTL == 0 {
		c.LeaseTTL = member.LeaseTTL
	}
	if c.DrainTimeout == 0 {
		c.DrainTimeout = 30 * time.Second
	}
	return c
}

// validate names the first field that is wrong.
func (c Config) validate() error {
	if err := bus.CheckName("Config.Namespace", c.namespaceOrDefault()); err != nil {
		return err
	}
	if c.Caller != "" {
		if err := bus.CheckName("Config.Caller", c.Caller); err != nil {
			return err
		}
	}
	switch {
	case !(c.CPUs >= 0) || math.IsInf(c.CPUs, 0):
		return fmt.Errorf("Config.CPUs is %v: want a number from 0, where 0 means GOMAXPROCS", c.CPUs)
	case c.MaxPending < 0:
		return fmt.Errorf("Config.MaxPending is %d: want a number from 0, where 0 means 1000", c.MaxPending)
	case c.MaxBatch < 0:
		return fmt.Errorf("Config.MaxBatch is %d: want a number from 0, where 0 means 64", c.MaxBatch)
	case c.CacheBytes < 0:
		return fmt.Errorf("Config.CacheBytes is %d: want a number from 0, where 0 means 1 GiB", c.CacheBytes)
	case c.ObjectQuota < 0:
		return fmt.Errorf("Config.ObjectQuota is %d: want a number of bytes, or 0 to leave it as it is", c.ObjectQuota)
	case c.LineageBudget < -1:
		return fmt.Errorf("Config.LineageBudget is %d: want bytes, 0 for 64 MiB or -1 for none", c.LineageBudget)
	case c.EventRate < -1:
		return fmt.Errorf("Config.EventRate is %d: want tasks a second, 0 for 1000 or -1 for no events", c.EventRate)
	case c.EventBytes != 0 && c.EventBytes < minEventBytes:
		return fmt.Errorf("Config.EventBytes is %d: want at least %d, or 0 to leave it as it is", c.EventBytes, minEventBytes)
	case c.EventAge != 0 && c.EventAge < time.Second:
		return fmt.Errorf("Config.EventAge is %v: want at least 1 s, or 0 to leave it as it is", c.EventAge)
	case c.TaskLogs.MaxBytes != 0 && c.TaskLogs.MaxBytes < minLogBytes:
		return fmt.Errorf("Config.TaskLogs.MaxBytes is %d: want at least %d, or 0 to leave it as it is", c.TaskLogs.MaxBytes, minLogBytes)
	case c.TaskLogs.MaxAge != 0 && c.TaskLogs.MaxAge < time.Second:
		return fmt.Errorf("Config.TaskLogs.MaxAge is %v: want at least 1 s, or 0 to leave it as it is", c.TaskLogs.MaxAge)
	case c.UploadWindow != 0 && c.UploadWindow < minUploadWindow:
		return fmt.Errorf("Config.UploadWindow is %d bytes: want at least %d, or 0 for 64 MiB", c.UploadWindow, minUploadWindow)
	case c.Replicas < 0 || c.Replicas > 5:
		return fmt.Errorf("Config.Replicas is %d: want 1 to 5, or 0 for 1", c.Replicas)
	case c.RefTTL < 0:
		return fmt.Errorf("Config.RefTTL is %v: want a duration from 0, where 0 means 1 h", c.RefTTL)
	case c.LeaseTTL != 0 && (c.LeaseTTL < time.Second || c.LeaseTTL > time.Minute || c.LeaseTTL%time.Second != 0):
		return fmt.Errorf("Config.LeaseTTL is %v: want whole seconds from 1 s to 1 min, or 0 for 2 s", c.LeaseTTL)
	case c.DrainTimeout < 0:
		return fmt.Errorf("Config.DrainTimeout is %v: want a duration from 0, where 0 means 30 s", c.DrainTimeout)
	}
	if _, both := c.Resources[member.CPU]; both && c.CPUs > 0 {
		return errors.New(`Config.CPUs and Config.Resources["CPU"] are both set: set one`)
	}
	if _, err := member.NewAmounts(c.Resources); err != nil {
		return fmt.Errorf("Config.Resources: %w", err)
	}
	if err := member.CheckLabels(c.Labels); err != nil {
		return fmt.Errorf("Config.Labels: %w", err)
	}
	return nil
}

func (c Config) namespaceOrDefault() string {
	if c.Namespace == "" {
		return "default"
	}
	return c.Namespace
}

// amounts are what the node offers, of a config with defaults. A client offers nothing.
func (c Config) amounts() (member.Amounts, error) {
	if c.ClientOnly || c.Caller != "" {
		return nil, nil
	}
	quantities := map[string]float64{member.CPU: c.CPUs}
	maps.Copy(quantities, c.Resources)
	return member.NewAmounts(quantities)
}
