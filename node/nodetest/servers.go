package nodetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"manta/internal/freeport"
	"manta/node/embedded"
)

const (
	// formations is how often Routed tries to form a cluster, and formingTimeout how long each try but the last may take. A
	// leader takes a quarter of a second, or up to ten if votes are split; a port may be taken in the moment between
	// its choice and its use.
	formations     = 4
	formingTimeout = 2 * time.Second
)

// servers are what the nodes of a cluster are connected to: one inside, one a node, or one elsewhere.
type servers struct {
	inside []*embedded.Server // node i's is number i, or the one there is
	killed []bool
	routed bool
	url    string // of the one elsewhere
}

// run starts the servers of a cluster of n nodes.
func (set settings) run(n int) (servers, error) {
	switch {
	case set.url != "" && set.routed:
		return servers{}, errors.New("Routed and At exclude each other")
	case set.url != "":
		return servers{url: set.url}, nil
	case set.routed:
		return form(n)
	}
	one, err := embedded.RunServer(embedded.Config{})
	return servers{inside: []*embedded.Server{one}, killed: make([]bool, 1)}, err
}

// form makes a cluster of n servers, which has a leader.
func form(n int) (s servers, err error) {
	if n < 2 {
		return servers{}, fmt.Errorf("Routed needs at least 2 nodes, got %d", n)
	}
	for try := 1; try <= formations; try++ {
		timeout := formingTimeout
		if try == formations {
			timeout = startTimeout
		}
		if s, err = formWithin(timeout, n); err == nil {
			return s, nil
		}
		s.close()
	}
	return servers{}, err
}

func formWithin(timeout time.Duration, n int) (s servers, err error) {
	addresses, err := freeport.Loopback(n)
	if err != nil {
		return s, err
	}
	routes := make([]string, n)
	for i, address := range addresses {
		routes[i] = "nats://" + address
	}
	s = servers{routed: true}
	for _, address := range addresses {
		if err := s.run(embedded.Config{ClusterListen: address, Routes: routes}); err != nil {
			return s, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	for _, server := range s.inside {
		if err := server.AwaitJetStream(ctx); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *servers) run(cfg embedded.Config) error {
	server, err := embedded.RunServer(cfg)
	if err != nil {
		return err
	}
	s.inside, s.killed = append(s.inside, server), append(s.killed, false)
	return nil
}

// plug returns a cable for node i, to a server that may have to start first.
func (s *servers) plug(ctx context.Context, i int) (*cable, error) {
	switch {
	case s.url != "":
		return newCable(nil), nil
	case !s.routed:
		return newCable(s.inside[0]), nil
	}
	if i == len(s.inside) {
		var routes []string
		for _, server := range s.inside {
			routes = append(routes, server.ClusterURL())
		}
		if err := s.run(embedded.Config{ClusterListen: "127.0.0.1:0", Routes: routes}); err != nil {
			return nil, err
		}
		if err := s.inside[i].AwaitJetStream(ctx); err != nil {
			return nil, err
		}
	}
	return newCable(s.inside[i]), nil
}

// replicas is on how many servers the nodes keep their buckets; 0 leaves that to them.
func (s *servers) replicas() int {
	if len(s.inside) == 0 {
		return 0
	}
	return s.inside[0].Replicas()
}

// connect connects a plain client.
func (s *servers) connect() (*nats.Conn, error) {
	if s.url != "" {
		return nats.Connect(s.url)
	}
	for i, server := range s.inside {
		if !s.killed[i] {
			return nats.Connect(nats.DefaultURL, nats.InProcessServer(server)) // the URL is never dialled
		}
	}
	return nil, errors.New("every server was killed")
}

func (s *servers) kill(i int) {
	s.killed[i] = true
	s.inside[i].Close()
}

func (s *servers) close() {
	for _, server := range s.inside {
		server.Close()
	}
}
