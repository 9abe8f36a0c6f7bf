package node

import (
	"maps"
	"net/http"
	"runtime"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"manta/actor"
	"manta/bus"
	"manta/objstore"
	"manta/task"
)

// MetricsHandler serves the node's metrics to Prometheus, or whatever else reads its text format or OpenMetrics:
//
//	http.Handle("/metrics", n.MetricsHandler())
//
// They are those of [Node.Collector] and no others: a program that has metrics of its own, or wants those of Go's runtime beside them,
// registers the collector in its own registry.
func (n *Node) MetricsHandler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(n.Collector())
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// Collector returns the node's metrics for a registry of Prometheus. All begin with "manta_"; docs/grafana has a dashboard of them. A registry
// with several nodes has to tell them apart, for example by prometheus.WrapRegistererWith(prometheus.Labels{"node_id": n.ID()}, registry).
//
// To count costs a task some nanoseconds. To collect takes time in proportion to the actors and objects that the node has: 4 ms for 10,000 of
// each.
func (n *Node) Collector() prometheus.Collector { return collector{n} }

type collector struct{ node *Node }

// Describe implements prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range described {
		to <- desc
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	stats, out := c.node.Stats(), samples(to)
	out.node(c.node)
	out.nats(stats.NATS)
	out.count(messagesRejected, stats.Rejected)
	out.count(eventsTold, stats.EventsTold)
	out.count(eventsLeft, stats.EventsLeft)
	out.tasks(stats.Tasks)
	out.actors(stats.Actors)
	out.objects(stats.Objects)
}

// samples is where values go, as constants: nothing counts in the types of Prometheus.
type samples chan<- prometheus.Metric

func (out samples) put(m metric, value float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(m.desc, m.kind, value, labels...)
}

func (out samples) count(m metric, n int64, labels ...string) { out.put(m, float64(n), labels...) }

func (out samples) yes(m metric, is bool) {
	value := 0.0
	if is {
		value = 1
	}
	out.put(m, value)
}

func (out samples) durations(desc *prometheus.Desc, d *task.Durations, labels ...string) {
	buckets := make(map[float64]uint64)
	for bound, n := range d.All() {
		buckets[bound.Seconds()] = uint64(n)
	}
	out <- prometheus.MustNewConstHistogram(desc, uint64(d.Count()), d.Sum().Seconds(), buckets, labels...)
}

func (out samples) node(n *Node) {
	out.put(buildInfo, 1, Version, runtime.Version())
	out.put(nodeInfo, 1, n.ID(), n.config.Name, n.config.Namespace)
	out.put(nodeStarted, float64(n.started.UnixNano())/1e9)
	out.yes(nodeReady, n.Health().Ready)
	out.yes(nodeDraining, n.draining.Load())
	if lease := n.self.Members.Lease(); lease != nil {
		answer := lease.Answered()
		out.yes(leaseHeld, n.self.Holds())
		out.yes(jetStreamReachable, answer.Err == nil)
		out.put(jetStreamAnswer, answer.Took.Seconds())
	}
	members := map[bool]int64{false: 0, true: 0}
	for _, m := range n.self.Members.All() {
		members[m.Draining]++
	}
	out.count(membersNow, members[false], "serving")
	out.count(membersNow, members[true], "draining")
	total, free := n.Resources()
	for _, name := range slices.Sorted(maps.Keys(total)) {
		out.put(resourceCapacity, total[name], name)
		out.put(resourceFree, free[name], name)
	}
}

func (out samples) nats(s bus.Stats) {
	out.yes(natsConnected, s.Connected)
	out.count(natsReconnects, s.Reconnects)
	out.count(natsSlowConsumers, s.SlowConsumers)
	out.count(natsInMessages, s.InMessages)
	out.count(natsInBytes, s.InBytes)
	out.count(natsOutMessages, s.OutMessages)
	out.count(natsOutBytes, s.OutBytes)
}

func (out samples) tasks(s task.Stats) {
	for _, f := range s.Submissions {
		out.count(tasksSubmitted, f.Submitted, f.Func)
		out.count(tasksRecomputed, f.Recomputed, f.Func)
		out.count(tasksFinished, f.Succeeded, f.Func, "ok")
		out.count(tasksFinished, f.Failed, f.Func, "failed")
		out.count(tasksFinished, f.Cancelled, f.Func, "cancelled")
		out.count(tasksRetried, f.RetriedLost, f.Func, "lost")
		out.count(tasksRetried, f.RetriedFailed, f.Func, "failed")
		out.count(tasksNow, f.Waiting, f.Func, "waiting")
		out.count(tasksNow, f.Queued, f.Func, "queued")
		out.count(tasksNow, f.UnderWay, f.Func, "under_way")
		out.count(tasksNow, f.Pausing, f.Func, "pausing")
	}
	for i := range s.Runs {
		f := &s.Runs[i]
		out.count(hostTasksRan, f.Ran-f.Failed, f.Func, "ok")
		out.count(hostTasksRan, f.Failed, f.Func, "failed")
		out.count(hostTasksRefused, f.Refused, f.Func)
		out.count(hostTasksNow, f.Running, f.Func, "running")
		out.count(hostTasksNow, f.Queued, f.Func, "queued")
		out.durations(hostTaskDuration, &f.Took, f.Func)
		out.durations(hostTaskWait, &f.Waited, f.Func)
	}
}

func (out samples) actors(s actor.Stats) {
	for _, c := range s.Calls {
		out.count(callsMade, c.Made, c.Class)
		out.count(callsFinished, c.Succeeded, c.Class, "ok")
		out.count(callsFinished, c.Failed, c.Class, "failed")
		out.count(callsFinished, c.Cancelled, c.Class, "cancelled")
	}
	for _, c := range s.Residents {
		out.count(actorsStarted, c.Started, c.Class)
		out.count(actorsRestarted, c.Restarted, c.Class)
		out.count(actorsNow, c.Starting, c.Class, "starting")
		out.count(actorsNow, c.Serving, c.Class, "serving")
		out.count(actorsNow, c.Asleep, c.Class, "asleep")
		out.count(actorsNow, c.Stopping, c.Class, "stopping")
		out.count(actorsNow, c.Moving, c.Class, "moving")
		out.count(callsRan, c.Ran-c.Failed, c.Class, "ok")
		out.count(callsRan, c.Failed, c.Class, "failed")
		out.count(callsRunning, c.Running, c.Class)
		out.count(mailboxDepth, c.Queued, c.Class)
	}
}

func (out samples) objects(s objstore.Stats) {
	out.count(objectsOwned, int64(s.Owned))
	out.count(objectsOwnedBytes, s.OwnedBytes)
	out.count(objectsUploading, int64(s.Uploading))
	out.count(objectsAskable, int64(s.Askable))
	out.count(objectsAskableBytes, s.AskableBytes)
	out.count(objectsPinned, int64(s.Pinned))
	out.count(objectsPinnedBytes, s.PinnedBytes)
	out.count(objectsHeld, int64(s.Held))
	out.count(objectsCached, int64(s.Cached))
	out.count(objectsCachedBytes, s.CachedBytes)
	out.count(cacheHits, s.CacheHits)
	out.count(cacheMisses, s.CacheMisses)
	out.count(uploads, s.Uploads)
	out.count(uploadedBytes, s.UploadedBytes)
	out.count(downloads, s.Downloads)
	out.count(downloadedBytes, s.DownloadedBytes)
	out.count(givenBytes, s.GivenBytes)
	out.count(borrowed, s.Borrowed)
	out.count(borrowedBytes, s.BorrowedBytes)
}
