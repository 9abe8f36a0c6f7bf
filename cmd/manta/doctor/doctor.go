// Package doctor looks for what is wrong with a cluster, or with the way to it. Each of its checks says how it stands, and what to do about it.
package doctor

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/bus"
	"manta/node"
)

// State is how a check ended.
type State string

// The states of a check.
const (
	OK   State = "ok"
	Warn State = "warn" // it works, and may not always
	Fail State = "fail"
)

// Check is one thing that was looked at.
type Check struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	Says  string `json:"says"`
	Fix   string `json:"fix,omitempty"` // what to do, unless it is ok
}

// Config says what to examine.
type Config struct {
	node.Config               // how a node connects
	Source      string        // where that comes from, in words
	Timeout     time.Duration // of each check
}

// Failed says whether a check has failed.
func Failed(checks []Check) bool {
	for _, c := range checks {
		if c.State == Fail {
			return true
		}
	}
	return false
}

// Examine makes all checks, as far as those before let it.
func Examine(ctx context.Context, cfg Config) (checks []Check) {
	x := &examination{Config: cfg}
	x.connect(ctx)
	if x.nc == nil {
		return x.checks
	}
	defer x.nc.Close()
	x.server()
	x.permissions(ctx)
	x.jetStream(ctx)
	x.nodes(ctx)
	return x.checks
}

// examination is one in the making.
type examination struct {
	Config
	checks []Check
	nc     *nats.Conn
}

func (x *examination) ok(name, format string, args ...any) {
	x.checks = append(x.checks, Check{name, OK, fmt.Sprintf(format, args...), ""})
}

func (x *examination) bad(state State, name, fix, format string, args ...any) {
	x.checks = append(x.checks, Check{name, state, fmt.Sprintf(format, args...), fix})
}

// connect connects as a plain client does.
func (x *examination) connect(ctx context.Context) {
	inbox := bus.NewSubjects(x.namespace()).Reply(cmp.Or(x.Caller, "node"), "doctor"+strings.ToLower(rand.Text())) // where a node's answers come too
	options := append([]nats.Option{
		nats.Name("manta doctor"), nats.Timeout(x.Timeout), nats.MaxReconnects(0), nats.CustomInboxPrefix(inbox),
	}, x.Options...)
	// What the server does not permit is found by asking, and not told to stderr.
	nc, err := nats.Connect(x.URL, append(options, nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))...)
	if err != nil {
		x.bad(Fail, "connection", connectionFix(err), "%s: %v", x.Source, withoutCredentials(err, x.URL))
		return
	}
	trip, err := nc.RTT()
	if err != nil {
		nc.Close()
		x.bad(Fail, "connection", "look at the network between here and there", "the server does not answer: %v", err)
		return
	}
	x.nc = nc
	x.ok("connection", "%s, by %s; a message takes %v there and back", nc.ConnectedUrlRedacted(), x.Source, trip.Round(10*time.Microsecond))
}

// connectionFix says what to do about a connection that cannot be made.
func connectionFix(err error) string {
	words := err.Error()
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), strings.Contains(words, "authentication"):
		return "give the credentials of a user: --user and --password, --token, --creds, --nkey or a --context that has them"
	case strings.Contains(words, "x509"), strings.Contains(words, "tls:"), errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted):
		return "--tlsca has the authority that signed the server's certificate, --tlscert and --tlskey this client's; the URL begins with tls:// or nats://"
	}
	return "start a server, with nats-server -js or manta dev, or say with --server or --context where it is"
}

// withoutCredentials hides what stands before the @ of URLs.
func withoutCredentials(err error, urls string) string {
	words := err.Error()
	for _, text := range strings.Split(urls, ",") {
		if u, parsed := url.Parse(strings.TrimSpace(text)); parsed == nil && u.User != nil {
			words = strings.ReplaceAll(words, u.User.String()+"@", "")
		}
	}
	return words
}

// server looks at what the server says of itself.
func (x *examination) server() {
	version := x.nc.ConnectedServerVersion()
	if atLeast(version, oldest) {
		x.ok("server", "nats-server %s", version)
	} else {
		x.bad(Fail, "server", "run nats-server "+oldest+" or later", "nats-server %s has no time to live for each message, which leases need", version)
	}
	secured := x.nc.TLSRequired()
	if state, err := x.nc.TLSConnectionState(); err == nil && state.HandshakeComplete {
		secured = true
	}
	switch host := hostOf(x.nc.ConnectedUrl()); {
	case secured:
		x.ok("tls", "the connection is encrypted")
	case loopback(host):
		x.ok("tls", "the connection is not encrypted, and does not leave this machine")
	default:
		x.bad(Warn, "tls", "give the server a certificate, as docs/permissions/nats.conf does, and connect with tls://", "whoever is between here and %s can read along", host)
	}
	if most := x.nc.MaxPayload(); most >= goodPayload {
		x.ok("payload", "messages may have %d bytes", most)
	} else {
		x.bad(Warn, "payload", "set max_payload to 1MB or more", "messages may have %d bytes: larger plain requests and results do not pass", most)
	}
}

const (
	// oldest is the first version of nats-server with a time to live for each message.
	oldest = "2.11.0"
	// goodPayload is nats-server's default.
	goodPayload = 1 << 20
)

// atLeast compares versions by their numbers.
func atLeast(version, least string) bool {
	var v, l [3]int
	_, _ = fmt.Sscanf(version, "%d.%d.%d", &v[0], &v[1], &v[2]) // what is missing is 0
	_, _ = fmt.Sscanf(least, "%d.%d.%d", &l[0], &l[1], &l[2])
	for i := range v {
		if v[i] != l[i] {
			return v[i] > l[i]
		}
	}
	return true
}

func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

func loopback(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}

// jetStream looks at JetStream and at what the namespace has in it.
func (x *examination) jetStream(ctx context.Context) {
	js, err := jetstream.New(x.nc)
	if err != nil {
		x.bad(Fail, "jetstream", "report this", "%v", err)
		return
	}
	asking, cancel := context.WithTimeout(ctx, x.Timeout)
	defer cancel()
	info, err := js.AccountInfo(asking)
	if err != nil {
		x.noJetStream(err)
		return
	}
	used := func(used uint64, limit int64) string {
		if limit <= 0 {
			return fmt.Sprintf("%d bytes", used)
		}
		return fmt.Sprintf("%d of %d bytes", used, limit)
	}
	says := fmt.Sprintf("in memory %s, in files %s", used(info.Memory, info.Limits.MaxMemory), used(info.Store, info.Limits.MaxStore))
	if full(info.Memory, info.Limits.MaxMemory) || full(info.Store, info.Limits.MaxStore) {
		x.bad(Warn, "jetstream", "free objects, or raise the account's limits", "it is nearly full: %s", says)
	} else {
		x.ok("jetstream", "%s", says)
	}
	x.buckets(asking, js)
}

// noJetStream says that JetStream is not to be had, which only a caller does without.
func (x *examination) noJetStream(err error) {
	if x.Caller != "" {
		x.ok("jetstream", "a caller does without")
		return
	}
	fix := "start nats-server with -js, or have JetStream enabled for the account; a caller does without: --caller"
	if errors.Is(err, context.DeadlineExceeded) {
		fix = "give this user the permissions of its role, and the --context an inbox_prefix to which it may subscribe; if that is so, JetStream has no leader"
	}
	x.bad(Fail, "jetstream", fix, "it does not answer: %v", err)
}

// full is above nine tenths of a limit.
func full(used uint64, limit int64) bool { return limit > 0 && float64(used) > 0.9*float64(limit) }
