package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"manta/bus"
)

// buckets looks at the streams of the namespace: at their copies, and by them at the server's clock.
func (x *examination) buckets(ctx context.Context, js jetstream.JetStream) {
	s := bus.NewSubjects(x.namespace())
	var there []*jetstream.StreamInfo
	for _, name := range []string{
		"KV_" + s.NodesTable(), "KV_" + s.LeasesTable(), "KV_" + s.ActorsTable(), "KV_" + s.RequestsTable(), "OBJ_" + s.ObjectsBucket(),
		s.DurableQueue(), "KV_" + s.ResultsTable(), s.Events(), s.Logs(),
	} {
		asked := time.Now()
		stream, err := js.Stream(ctx, name)
		switch {
		case errors.Is(err, jetstream.ErrStreamNotFound): // it is made when it is needed
			continue
		case err != nil:
			x.bad(Warn, "buckets", "this user may lack the permissions to look", "stream %s does not answer: %v", name, err)
			return
		}
		info := stream.CachedInfo()
		if there == nil && !info.TimeStamp.IsZero() {
			trip := time.Since(asked)
			x.clock("server", info.TimeStamp.Sub(asked.Add(trip/2)), trip)
		}
		there = append(there, info)
	}
	if there == nil {
		x.bad(Warn, "buckets", "start a node: manta dev, manta start, or a program with node.Start", "namespace %q has none: no node has been there", x.namespace())
		return
	}
	x.copies(there)
}

func (x *examination) namespace() string {
	if x.Namespace == "" {
		return "default"
	}
	return x.Namespace
}

// copies looks at the replicas of streams.
func (x *examination) copies(there []*jetstream.StreamInfo) {
	var single, behind []string
	for _, info := range there {
		name := strings.TrimPrefix(strings.TrimPrefix(info.Config.Name, "KV_"), "OBJ_")
		if info.Cluster == nil || info.Cluster.Name == "" {
			continue
		}
		if info.Config.Replicas < 2 {
			single = append(single, name)
		}
		for _, r := range info.Cluster.Replicas {
			if r.Offline || !r.Current {
				behind = append(behind, fmt.Sprintf("%s at %s", name, r.Name))
			}
		}
	}
	switch {
	case len(behind) > 0:
		x.bad(Warn, "buckets", "look after these servers: until they have caught up, another one's loss is one too many", "copies are not up to date: %s", strings.Join(behind, ", "))
	case len(single) > 0:
		x.bad(Warn, "buckets", "start a node with Config.Replicas: 3, which needs three servers", "each on one server of the cluster alone: %s", strings.Join(single, ", "))
	default:
		x.ok("buckets", "%d, with %d copies", len(there), max(1, there[0].Config.Replicas))
	}
}

// fastClock is how far clocks may be apart: deadlines of plain requests are by the clock of the node that takes them.
const fastClock = 500 * time.Millisecond

// clock judges how far a clock is ahead of this machine's; half of trip is what that may be wrong by.
func (x *examination) clock(whose string, ahead, trip time.Duration) {
	ahead, trip = ahead.Round(10*time.Microsecond), trip.Round(10*time.Microsecond)
	if (ahead.Abs() - trip/2) > fastClock {
		x.bad(Warn, "clock of "+whose, "have NTP set all clocks", "it differs from this machine's by %v: deadlines and times are wrong by as much", ahead)
		return
	}
	x.ok("clock of "+whose, "%v from this machine's, give or take %v", ahead, trip/2)
}
