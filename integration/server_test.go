package integration

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A server is a NATS server with JetStream in a process of its own.
type server struct {
	*child
	dir  string // of JetStream
	port string // the same after a restart
}

// startServer starts a server on loopback, at a port that is free.
func startServer(t *testing.T) *server {
	t.Helper()
	s := &server{dir: t.TempDir(), port: "-1"}
	s.start(t)
	return s
}

// listening is what the server says about where clients find it.
var listening = regexp.MustCompile(`Listening for client connections on 127\.0\.0\.1:(\d+)`)

// start starts the server, after it was killed at the same port and with the same data.
func (s *server) start(t *testing.T) {
	t.Helper()
	cmd := exec.Command(program(t, "nats-server"), "-a", "127.0.0.1", "-p", s.port, "-js", "-sd", s.dir)
	s.child = startChild(t, "nats-server", cmd)
	words := s.words.await(t, "NATS server", func(words []string) bool {
		return slices.ContainsFunc(words, func(text string) bool { return strings.Contains(text, "Server is ready") })
	})
	for _, text := range words {
		if match := listening.FindStringSubmatch(text); match != nil {
			s.port = match[1]
		}
	}
}

func (s *server) url() string { return "nats://127.0.0.1:" + s.port }
