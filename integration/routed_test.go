package integration

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// routedServers has a NATS server inside every worker, and as many more that there are three of them, which form one NATS
// cluster. Beside a lease's length, a node's end may take the time in which the servers that are left elect a leader of each
// bucket: 4 to 9 s.
func routedServers(t *testing.T, workers []worker) *cluster {
	t.Helper()
	c := &cluster{t: t, noticed: 15 * time.Second}
	var addresses, routes []string
	for range max(3, len(workers)) {
		address := freeAddress(t)
		addresses, routes = append(addresses, address), append(routes, "nats://"+address)
	}
	var all []*process
	for i, address := range addresses {
		flags := []string{
			"-embedded", "-listen", freeAddress(t), "-cluster-listen", address, "-routes", strings.Join(routes, ","),
		}
		if i < len(workers) {
			w := launch(t, "worker "+strconv.Itoa(i), append(workers[i].flags(t), flags...)...)
			c.workers, all = append(c.workers, w), append(all, w)
		} else {
			all = append(all, launch(t, "server "+strconv.Itoa(i), append(flags, "-client-only")...))
		}
	}
	for _, p := range all {
		p.ready()
	}
	c.url = c.workers[0].url
	return c
}

// freeAddress returns an address on loopback that is free a moment before a process takes it.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
