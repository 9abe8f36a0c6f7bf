package integration

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"manta/internal/freeport"
)

// routedServers has a NATS server inside every worker, and as many more that there are three of them, which form one NATS
// cluster. Beside a lease's length, a node's end may take the time in which the servers that are left elect a leader of each
// bucket: 4 to 9 s.
func routedServers(t *testing.T, workers []worker) *cluster {
	t.Helper()
	c := &cluster{t: t, noticed: 15 * time.Second}
	servers := max(3, len(workers))
	addresses, err := freeport.Loopback(2 * servers) // half for routes, half for clients
	if err != nil {
		t.Fatal(err)
	}
	var routes []string
	for _, address := range addresses[:servers] {
		routes = append(routes, "nats://"+address)
	}
	var all []*process
	for i, address := range addresses[:servers] {
		flags := []string{
			"-embedded", "-listen", addresses[servers+i], "-cluster-listen", address, "-routes", strings.Join(routes, ","),
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
