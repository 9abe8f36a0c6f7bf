package doctor

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"manta/node"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestVersionsAreComparedByTheirNumbers(t *testing.T) {
	for version, want := range map[string]bool{"2.11.0": true, "2.15.2": true, "3.0.0": true, "2.9.20": false, "2.10.99-beta": false, "": false} {
		if got := atLeast(version, "2.11.0"); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}

func TestClocksMayDifferALittle(t *testing.T) {
	for _, c := range []struct {
		ahead, trip time.Duration
		want        State
	}{
		{10 * time.Millisecond, time.Millisecond, OK},
		{-3 * time.Second, time.Millisecond, Warn},
		{time.Second, 2 * time.Second, OK}, // nobody knows, over so slow a way
	} {
		x := &examination{}
		if x.clock("x", c.ahead, c.trip); x.checks[0].State != c.want {
			t.Errorf("%v ahead, %v there and back: %+v", c.ahead, c.trip, x.checks[0])
		}
	}
}

func TestCopiesOfAClusterAreMissed(t *testing.T) {
	stream := func(replicas int, cluster *jetstream.ClusterInfo) *jetstream.StreamInfo {
		return &jetstream.StreamInfo{Config: jetstream.StreamConfig{Name: "KV_manta_default_nodes", Replicas: replicas}, Cluster: cluster}
	}
	behind := &jetstream.ClusterInfo{Name: "c", Replicas: []*jetstream.PeerInfo{{Name: "s2", Current: true}, {Name: "s3", Offline: true}}}
	for name, c := range map[string]struct {
		info  *jetstream.StreamInfo
		state State
		says  string
	}{
		"one server":        {stream(1, nil), OK, "1 copies"},
		"one of a cluster":  {stream(1, &jetstream.ClusterInfo{Name: "c"}), Warn, "manta_default_nodes"},
		"one that is away":  {stream(3, behind), Warn, "s3"},
		"three that are up": {stream(3, &jetstream.ClusterInfo{Name: "c", Replicas: behind.Replicas[:1]}), OK, "3 copies"},
	} {
		x := &examination{}
		x.copies([]*jetstream.StreamInfo{c.info})
		if got := x.checks[0]; got.State != c.state || !strings.Contains(got.Says, c.says) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestVersionsOfNodesThatDifferAreSaid(t *testing.T) {
	x := &examination{}
	x.versions([]node.Info{{Name: "a", Version: node.Version}, {Name: "b", Version: "0.0.1"}})
	if c := x.checks[0]; c.State != Warn || !strings.Contains(c.Says, "0.0.1 at b") {
		t.Errorf("got %+v", c)
	}
}

func TestAConnectionThatFailsHasItsFix(t *testing.T) {
	for want, err := range map[string]error{
		"--password": nats.ErrAuthorization, "--tlsca": errors.New("tls: failed to verify certificate: x509: unknown authority"), "--server": nats.ErrNoServers,
	} {
		if got := connectionFix(err); !strings.Contains(got, want) {
			t.Errorf("%v: %q", err, got)
		}
	}
	if got := withoutCredentials(errors.New("dial nats://ann:secret@h:1"), "nats://ann:secret@h:1"); strings.Contains(got, "secret") {
		t.Errorf("it says %q", got)
	}
}
