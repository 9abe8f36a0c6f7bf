package node

import "github.com/prometheus/client_golang/prometheus"

// metric is a counter or gauge as Prometheus knows it.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

// described are all metrics, in the order of their definitions.
var described []*prometheus.Desc

func describe(name, help string, labels []string) *prometheus.Desc {
	desc := prometheus.NewDesc("manta_"+name, help, labels, nil)
	described = append(described, desc)
	return desc
}

func counter(name, help string, labels ...string) metric {
	return metric{describe(name, help, labels), prometheus.CounterValue}
}

func gauge(name, help string, labels ...string) metric {
	return metric{describe(name, help, labels), prometheus.GaugeValue}
}

func histogram(name, help string, labels ...string) *prometheus.Desc {
	return describe(name, help, labels)
}

// The values of labels are bounded: functions and classes are those that the node serves, or the first 200 that it calls and "other".
var (
	buildInfo   = gauge("build_info", "1, with the versions of Manta and Go.", "version", "goversion")
	nodeInfo    = gauge("node_info", "1, with the node's id, its name and its namespace.", "node", "name", "namespace")
	nodeStarted = gauge("node_start_time_seconds", "When the node started, in seconds since 1970.")

	nodeReady          = gauge("node_ready", "1 if the node takes work: it is connected, has its lease, and does not drain.")
	nodeDraining       = gauge("node_draining", "1 if the node drains.")
	leaseHeld          = gauge("node_lease_held", "1 if the node has its lease; without it the node is paused, and others may take it for dead.")
	jetStreamReachable = gauge("jetstream_reachable", "1 if JetStream has answered the last renewal of the node's lease.")
	jetStreamAnswer    = gauge("jetstream_answer_seconds", "How long that renewal took, there and back.")
	membersNow         = gauge("members", "Nodes that this node sees in the cluster, itself included, by state: serving (also those that only call) or draining.", "state")
	resourceCapacity   = gauge("resource_capacity", "What the node offers of a resource.", "resource")
	resourceFree       = gauge("resource_free", "What no task, actor or bundle holds of it.", "resource")
	eventsTold         = counter("events_told_total", "Events of this node that were stored.")
	eventsLeft         = counter("events_left_out_total", "Events that were left out: beyond what the node may tell in a second, or because they could not be stored.")
	messagesRejected   = counter("messages_rejected_total", "Messages that cannot be read, are of another version, or name no subject for their answer.")
)

var (
	natsConnected     = gauge("nats_connected", "1 if the connection to NATS is there.")
	natsReconnects    = counter("nats_reconnects_total", "Connections to NATS after the first.")
	natsSlowConsumers = counter("nats_slow_consumers_total", "Times that messages were dropped because the process took them in too slowly.")
	natsInMessages    = counter("nats_in_messages_total", "Messages from NATS.")
	natsInBytes       = counter("nats_in_bytes_total", "Bytes of messages from NATS.")
	natsOutMessages   = counter("nats_out_messages_total", "Messages to NATS.")
	natsOutBytes      = counter("nats_out_bytes_total", "Bytes of messages to NATS.")
)

var (
	tasksSubmitted = counter("tasks_submitted_total", "Tasks that this node submitted.", "function")
	tasksFinished  = counter("tasks_finished_total", "Tasks of this node that have their outcome: ok, failed or cancelled.", "function", "outcome")
	tasksRetried   = counter("tasks_retried_total", "Attempts after the first, by what became of the one before: lost with its node, or failed.", "function", "cause")
	tasksNow       = gauge("tasks", "Tasks of this node without an outcome: waiting for arguments, queued here (the backlog), under way, or pausing between attempts.",
		"function", "state")
	tasksRecomputed = counter("tasks_recomputed_total", "Tasks that were run once more because their results were lost.", "function")

	hostTasksRan     = counter("host_tasks_ran_total", "Attempts that ran at this node, whoever submitted the tasks: ok or failed.", "function", "outcome")
	hostTasksRefused = counter("host_tasks_refused_total", "Tasks that were sent back to their owners because there was no room.", "function")
	hostTasksNow     = gauge("host_tasks", "Tasks at this node: running, or queued for what they need.", "function", "state")
	hostTaskDuration = histogram("host_task_duration_seconds", "How long attempts ran, arguments and results included.", "function")
	hostTaskWait     = histogram("host_task_wait_seconds", "How long tasks waited at this node for what they need of it.", "function")
)

var (
	actorsNow       = gauge("actors", "Actors that live at this node: starting, serving, asleep, stopping or moving.", "class", "state")
	actorsStarted   = counter("actors_started_total", "Actors that came to live at this node.", "class")
	actorsRestarted = counter("actors_restarted_total", "Of them, those that had lived elsewhere: their node was lost, or has drained.", "class")
	callsMade       = counter("actor_calls_made_total", "Actor calls that this node made.", "class")
	callsFinished   = counter("actor_calls_finished_total", "Actor calls of this node that have their outcome: ok, failed or cancelled.", "class", "outcome")
	callsRan        = counter("actor_calls_ran_total", "Calls that ran in actors of this node, whoever made them: ok or failed.", "class", "outcome")
	callsRunning    = gauge("actor_calls_running", "Calls that run in actors of this node.", "class")
	mailboxDepth    = gauge("actor_mailbox_depth", "Calls that wait in the mailboxes of this node's actors.", "class")
)

var (
	objectsOwned        = gauge("objects_owned", "Large objects of this node in the bucket, or on their way there.")
	objectsOwnedBytes   = gauge("objects_owned_bytes", "Their bytes.")
	objectsUploading    = gauge("objects_uploading", "Of them, those on their way.")
	objectsAskable      = gauge("objects_askable", "Objects of this node, large or small, that are kept for others.")
	objectsAskableBytes = gauge("objects_askable_bytes", "Their bytes.")
	objectsPinned       = gauge("objects_pinned", "Of them, those that are arguments of tasks and calls under way.")
	objectsPinnedBytes  = gauge("objects_pinned_bytes", "Their bytes.")
	objectsHeld         = gauge("objects_held", "Objects of other nodes of which there are refs here.")
	objectsCached       = gauge("objects_cached", "Large objects in the cache.")
	objectsCachedBytes  = gauge("objects_cached_bytes", "Their bytes.")
	cacheHits           = counter("object_cache_hits_total", "Reads of large objects that the cache had, or was getting.")
	cacheMisses         = counter("object_cache_misses_total", "Reads of large objects that it had not.")
	uploads             = counter("object_uploads_total", "Large objects that were written to the bucket.")
	uploadedBytes       = counter("object_uploaded_bytes_total", "Their bytes.")
	downloads           = counter("object_downloads_total", "Large objects that were read from the bucket or from other nodes.")
	downloadedBytes     = counter("object_downloaded_bytes_total", "Their bytes.")
	givenBytes          = counter("object_given_bytes_total", "Bytes that other nodes have read from this one's memory.")
	borrowed            = counter("object_borrowed_total", "Large objects that were read in memory shared with another process.")
	borrowedBytes       = counter("object_borrowed_bytes_total", "Their bytes.")
)
