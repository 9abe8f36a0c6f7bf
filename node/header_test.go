package node_test

import (
	"bufio"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"manta/node/nodetest"
)

// runServerTaking runs a NATS server that takes messages of a size; it opens a port on loopback.
func runServerTaking(t *testing.T, maxPayload int32) *server.Server {
	t.Helper()
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), MaxPayload: maxPayload, MaxPending: 256 << 20, NoLog: true, NoSigs: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	if !srv.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	return srv
}

func TestHeadersOfTenMegabytesAreRefusedByTheServerOrReadAndPassedOver(t *testing.T) {
	const size = 10 << 20
	headers := map[string]string{"X-Junk": "", "Manta-Deadline": "argument", "Content-Type": "argument", "Manta-Ahead": "argument"}
	t.Run("of a server as it is by default", func(t *testing.T) {
		srv := runServerTaking(t, 0)
		s := besiege(t, 1, nodetest.At(srv.ClientURL()))
		raw, err := net.Dial("tcp", strings.TrimPrefix(srv.ClientURL(), "nats://"))
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		if err := raw.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		header := "NATS/1.0\r\nX-Junk: " + strings.Repeat("x", size) + "\r\n\r\n"
		go fmt.Fprintf(raw, "CONNECT {\"headers\":true,\"verbose\":false}\r\nHPUB manta.default.task.number r %d %d\r\n%s7\r\n", len(header), len(header)+1, header)
		refused := false
		for lines := bufio.NewScanner(raw); lines.Scan(); {
			refused = refused || strings.HasPrefix(lines.Text(), "-ERR 'Maximum Payload Violation'")
		}
		if !refused {
			t.Error("the server has taken it")
		}
		s.callAll()
	})
	t.Run("of a server that takes them", func(t *testing.T) {
		srv := runServerTaking(t, 64<<20)
		s := besiege(t, 1, nodetest.At(srv.ClientURL()))
		before := runtime.NumGoroutine()
		for header, code := range headers {
			msg := nats.NewMsg("manta.default.task.number")
			if header == "Manta-Ahead" {
				msg.Subject = "manta.default.task.numbers"
				msg.Header.Set("Manta-Stream", "1")
			}
			msg.Data = []byte("7")
			msg.Header.Set(header, strings.Repeat("x", size))
			reply, err := s.nc.RequestMsg(msg, patience)
			if err != nil {
				t.Errorf("%s: %v", header, err)
			} else if got := reply.Header.Get("Manta-Error"); got != code || len(reply.Header.Get("Nats-Service-Error")) > 64<<10 {
				t.Errorf("%s: got %q, %d bytes, want %q", header, got, len(reply.Header.Get("Nats-Service-Error")), code)
			}
		}
		many := nats.NewMsg("manta.default.task.number")
		many.Data = []byte("7")
		for i := range size / 16 {
			many.Header[fmt.Sprintf("X-%d", i)] = []string{"12345678"}
		}
		if reply, err := s.nc.RequestMsg(many, patience); err != nil || string(reply.Data) != "7" {
			t.Errorf("%d headers: %v", len(many.Header), err)
		}
		s.callAll()
		s.settled(before)
	})
}
