package node

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// Health is how a node is, as a supervisor of processes wants to know it.
type Health struct {
	// Live is true until the node is closed, or its connection has ended for good, as it does when the server takes its credentials no
	// more. A process whose work is the node has to be started again when it is not live.
	Live bool `json:"live"`
	// Ready is true while the node takes work: it is live and connected, has its lease, and does not drain. A node that only calls functions
	// (Config.Caller) has no lease.
	Ready bool `json:"ready"`
	// Reasons say in words why it is not live or ready, and what may soon be one: that JetStream did not answer when it was last asked. The
	// words may change.
	Reasons []string `json:"reasons,omitempty"`
}

// Health says how the node is. It asks nobody, so it takes no time: it goes by what the node has last seen.
func (n *Node) Health() Health {
	h := Health{Live: true, Ready: true}
	conn := n.self.Conn
	select {
	case <-n.self.Closing:
		return Health{Reasons: []string{"the node is closed"}}
	default:
	}
	switch {
	case conn.Ended():
		return Health{Reasons: []string{"the connection to NATS has ended for good"}}
	case !conn.Connected():
		h.unready("there is no connection to NATS: the node tries to reconnect")
	}
	if n.draining.Load() {
		h.unready("the node drains: it takes no more work")
	}
	if n.self.Confined {
		return h
	}
	if !n.self.Holds() {
		h.unready("the node's lease has ended: the node is paused, and others may take it for dead")
	}
	if answer := n.lease.Answered(); answer.Err != nil {
		h.Reasons = append(h.Reasons, fmt.Sprintf("JetStream did not answer %v ago: %v", time.Since(answer.At).Round(time.Millisecond), answer.Err))
	}
	return h
}

func (h *Health) unready(reason string) {
	h.Ready = false
	h.Reasons = append(h.Reasons, reason)
}

// HealthHandler serves /healthz and /readyz, as Kubernetes asks for them: status 200 if the node is live, or ready, else 503, and [Health] as
// JSON in either case.
//
//	http.Handle("/", n.HealthHandler())
func (n *Node) HealthHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		h := n.Health()
		n.tellHealth(w, h, h.Live)
	})
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		h := n.Health()
		n.tellHealth(w, h, h.Ready)
	})
	return mux
}

func (n *Node) tellHealth(w http.ResponseWriter, h Health, well bool) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !well {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if err := json.NewEncoder(w).Encode(h); err != nil {
		n.self.Log.Debug("whoever asked how the node is was not told", zap.Error(err))
	}
}
