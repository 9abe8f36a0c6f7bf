package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/node"
	"manta/node/embedded"
)

// workerCPUs is what a worker node offers: a logical number, the same on every machine.
const workerCPUs = 4

// A ground is where all stages of one Run stand: on the server that the user named, or on servers inside.
type ground struct {
	cfg       Config
	namespace string // of this Run alone, since the server may have other users
}

// ErrServer is returned by Run when the server that Config names cannot be used.
var ErrServer = errors.New("no NATS server with JetStream answers there")

// openGround makes sure that a server which the user named can be used.
func openGround(ctx context.Context, cfg Config) (*ground, error) {
	g := &ground{cfg: cfg, namespace: "bench-" + strings.ToLower(rand.Text()[:8])}
	if cfg.Server == "" {
		return g, nil
	}
	nc, js, err := g.connect()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrServer, err)
	}
	defer nc.Close()
	ctx, cancel := context.WithTimeout(ctx, replyPatience)
	defer cancel()
	if _, err := js.AccountInfo(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrServer, err)
	}
	return g, nil
}

// connect connects to the server that the user named.
func (g *ground) connect() (*nats.Conn, jetstream.JetStream, error) {
	nc, err := nats.Connect(g.cfg.Server)
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return nc, js, nil
}

// close deletes the streams that the nodes have made on a server which lives on.
func (g *ground) close() error {
	if g.cfg.Server == "" {
		return nil
	}
	nc, js, err := g.connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	ctx, cancel := context.WithTimeout(context.Background(), replyPatience)
	defer cancel()
	names := js.StreamNames(ctx)
	for name := range names.Name() {
		if strings.Contains(name, "manta_"+g.namespace+"_") {
			err = errors.Join(err, js.DeleteStream(ctx, name))
		}
	}
	return errors.Join(err, names.Err())
}

// A Stage is where one run of a measure takes place. It makes servers, connections and nodes as the measure asks for them,
// and takes everything down after the run.
type Stage struct {
	sizes
	cfg       Config
	namespace string
	servers   []*embedded.Server // none if the user named a server
	nodes     int
	undo      []func() error
}

func (g *ground) stage() *Stage {
	s := &Stage{sizes: full, cfg: g.cfg, namespace: g.namespace}
	if g.cfg.Quick {
		s.sizes = quick
	}
	return s
}

// close undoes what the stage made, the last first.
func (s *Stage) close() (err error) {
	for i := len(s.undo) - 1; i >= 0; i-- {
		err = errors.Join(err, s.undo[i]())
	}
	return err
}

// A Place is a server of the stage.
type Place struct {
	url     string
	options []nats.Option
}

// Server returns the one server of stages that have only one: the user's, or one inside that the first call starts.
func (s *Stage) Server() (Place, error) {
	if s.cfg.Server != "" {
		return Place{url: s.cfg.Server}, nil
	}
	if len(s.servers) == 0 {
		if err := s.serve(embedded.Config{Listen: "127.0.0.1:0"}); err != nil {
			return Place{}, err
		}
	}
	return s.place(0), nil
}

func (s *Stage) serve(cfg embedded.Config) error {
	server, err := embedded.RunServer(cfg)
	if err != nil {
		return err
	}
	s.servers = append(s.servers, server)
	s.undo = append(s.undo, func() error {
		server.Close()
		return nil
	})
	return nil
}

func (s *Stage) place(i int) Place {
	if s.cfg.InProcess {
		return Place{url: nats.DefaultURL, options: []nats.Option{nats.InProcessServer(s.servers[i])}} // the URL is never dialled
	}
	return Place{url: s.servers[i].URL()}
}

// Connect makes a plain connection to NATS, with nothing of Manta in it.
func (s *Stage) Connect(at Place) (*nats.Conn, error) {
	nc, err := nats.Connect(at.url, at.options...)
	if err != nil {
		return nil, err
	}
	s.undo = append(s.undo, func() error {
		nc.Close()
		return nil
	})
	return nc, nil
}

// Worker starts a node that serves tasks.
func (s *Stage) Worker(ctx context.Context, at Place, tune ...func(*node.Config)) error {
	_, err := s.node(ctx, at, node.Config{CPUs: workerCPUs}, tune)
	return err
}

// Driver starts a node that only submits, and returns its ctx once it sees all nodes of the stage.
func (s *Stage) Driver(ctx context.Context, at Place, tune ...func(*node.Config)) (context.Context, error) {
	n, err := s.node(ctx, at, node.Config{ClientOnly: true}, tune)
	if err != nil {
		return nil, err
	}
	driver := n.Context(ctx)
	return driver, node.AwaitMembers(driver, func(members []node.Info) bool { return len(members) == s.nodes })
}

func (s *Stage) node(ctx context.Context, at Place, cfg node.Config, tune []func(*node.Config)) (*node.Node, error) {
	cfg.URL, cfg.Options, cfg.Namespace, cfg.Storage = at.url, at.options, s.namespace, jetstream.MemoryStorage
	cfg.SharedDir = "off" // what is in one process shares nothing, so that a transfer is one
	for _, change := range tune {
		change(&cfg)
	}
	n, _, err := node.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s.nodes++
	s.undo = append(s.undo, n.Close)
	return n, nil
}
