package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"manta/internal/freeport"
)

const (
	defaultClusterName = "manta"
	// leaderPoll is how often AwaitJetStream looks: the server has no signal for it.
	leaderPoll = 10 * time.Millisecond
	// placePoll is how long Start waits before it tries again, tryTimeout how long it tries in a cluster.
	placePoll, tryTimeout = 100 * time.Millisecond, 3 * time.Second
	// fewestReplicated is the size of the smallest cluster that goes on without one of its servers.
	fewestReplicated = 3
)

// cluster makes the options those of one of several servers. dir is where it remembers its name, empty if nowhere.
//
// A fresh cluster elects its first leader among as many servers as the options have routes, at least two: so each server
// counts itself among them, and no two halves of a cluster can both think that they are the whole.
func (s *Server) cluster(opts *server.Options, cfg Config) error {
	host, port, _ := net.SplitHostPort(cfg.ClusterListen) // validated
	if port == "0" {
		free, err := freeport.Find(host)
		if err != nil {
			return fmt.Errorf("Config.ClusterListen: %w", err)
		}
		port = strconv.Itoa(free)
	}
	own := &url.URL{Scheme: "nats", Host: hostPort(host, port)}
	routes := []*url.URL{own}
	for _, route := range cfg.Routes {
		parsed, _ := parseRoute(route) // validated
		if !slices.ContainsFunc(routes, func(known *url.URL) bool { return known.Host == parsed.Host }) {
			routes = append(routes, parsed)
		}
	}
	number, _ := strconv.Atoi(port)
	cluster := &opts.Cluster // with what the user's file says of it
	cluster.Name, cluster.Host, cluster.Port = cmp.Or(cfg.ClusterName, defaultClusterName), host, number
	cluster.PingInterval, cluster.MaxPingsOut = pingInterval, maxPingsOut
	cluster.NoAdvertise = cfg.Listen == "" // clients elsewhere are not told of a port that was not asked for
	opts.Routes, s.routes = routes, routes
	opts.ServerName = "manta-" + own.Host // the cluster takes a server that comes back for the one that it was by its name
	return nil
}

// parseRoute reads a route in the form in which two that name the same server are equal.
func parseRoute(route string) (*url.URL, error) {
	parsed, err := url.Parse(route)
	if err != nil {
		return nil, errors.New("Config.Routes has a malformed URL: want nats://host:port") // it may hold a password
	}
	port, err := strconv.ParseUint(parsed.Port(), 10, 16)
	if err != nil || port == 0 || parsed.Hostname() == "" || parsed.Scheme != "nats" && parsed.Scheme != "nats-route" {
		return nil, fmt.Errorf("Config.Routes has %s://%s: want nats://host:port", parsed.Scheme, parsed.Host)
	}
	return &url.URL{Scheme: "nats", User: parsed.User, Host: hostPort(parsed.Hostname(), parsed.Port())}, nil
}

func hostPort(host, port string) string {
	if host = strings.ToLower(host); host == "localhost" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// ClusterURL returns the URL by which other servers name this one in their Config.Routes; empty if it is on its own.
func (s *Server) ClusterURL() string {
	if len(s.routes) == 0 {
		return ""
	}
	return s.routes[0].String()
}

// Replicas returns how many copies of a bucket a cluster of this configuration can have: 3 if it has at least three servers,
// else 1. Two copies would need both of them for every write.
func (s *Server) Replicas() int {
	if len(s.routes) < fewestReplicated {
		return 1
	}
	return fewestReplicated
}

// AwaitJetStream waits until JetStream can be used. A server on its own can at once; of a cluster more than half of the
// servers must be there and have elected a leader: that takes a fraction of a second, or up to ten seconds if votes are split.
// The error of a ctx that ends first says which routes lead nowhere.
func (s *Server) AwaitJetStream(ctx context.Context) error {
	if len(s.routes) == 0 {
		return nil
	}
	look := time.NewTicker(leaderPoll)
	defer look.Stop()
	for told := false; ; told = true {
		switch {
		case !s.server.Running():
			return errors.New("the NATS server inside was closed")
		case s.usable():
			return nil
		case !told:
			s.log.Info("waiting for the other servers of the cluster", zap.String("routes", s.routeList()))
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("JetStream has no leader: this server is in touch with %d others of its cluster and needs more than "+
				"half of all; start them, or correct Config.Routes; it tries %s: %w",
				s.server.NumRemotes(), s.routeList(), context.Cause(ctx))
		}
	}
}

// usable reports whether the cluster has a leader and, at the leader itself, whether it can place a bucket yet: it first has
// to hear from the others how much room they have.
func (s *Server) usable() bool {
	if !s.server.JetStreamIsClustered() || !s.server.JetStreamIsCurrent() {
		return false
	}
	return !s.server.JetStreamIsLeader() || len(s.server.JetStreamClusterPeers()) >= min(s.Replicas(), s.server.NumRemotes()+1)
}

// noPlace reports whether an error is the leader's word that it knows of no room for a bucket, as it says just after its
// election.
func noPlace(err error) bool {
	failure, ok := errors.AsType[*jetstream.APIError](err)
	return ok && failure.ErrorCode == jetstream.ErrorCode(server.JSClusterNoPeersErrF)
}

// routeList are the routes without what may be secret in them.
func (s *Server) routeList() string {
	var names []string
	for _, route := range s.routes[1:] {
		names = append(names, route.Scheme+"://"+route.Host)
	}
	if names == nil {
		return "no route, and waits for others at " + s.routes[0].Host
	}
	return strings.Join(names, ", ")
}
