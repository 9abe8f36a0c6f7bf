package nodetest

import "manta/node"

// Option changes a cluster, or its nodes.
type Option func(*settings)

type settings struct {
	changes []func(i int, cfg *node.Config)
	routed  bool
	url     string
	seed    uint64
}

func settingsOf(opts []Option) (set settings) {
	for _, opt := range opts {
		opt(&set)
	}
	return set
}

// CPUs gives each node that many CPUs; the default is 4.
func CPUs(n float64) Option { return Configure(func(_ int, cfg *node.Config) { cfg.CPUs = n }) }

// Configure changes the configuration of each node, given its index.
func Configure(change func(i int, cfg *node.Config)) Option {
	return func(set *settings) { set.changes = append(set.changes, change) }
}

// Routed gives each node a server of its own, and makes one NATS cluster of the servers, by routes on loopback. At least two
// nodes are needed. Start then takes a second or two instead of a few milliseconds.
func Routed() Option { return func(set *settings) { set.routed = true } }

// At puts the nodes on a NATS server that runs elsewhere. Its buckets outlive the test, and AwaitMembers takes nodes of others for
// its own: give each test a namespace by Configure. What is dropped is found only without TLS.
func At(url string) Option { return func(set *settings) { set.url = url } }

// Seed repeats what Drop dropped in a run that logged this seed.
func Seed(seed uint64) Option { return func(set *settings) { set.seed = seed } }
