package bench

import (
	"context"

	"manta/internal/freeport"
	"manta/node"
	"manta/node/embedded"
)

// routedServers is how many servers the routed measures have: the smallest cluster that replicates.
const routedServers = 3

func init() { families = append(families, routedMeasures) }

var routedMeasures = []Measure{
	{
		Name: "raw_request_pipelined_routed", Unit: "requests/s", Inside: true,
		About: "plain NATS as in raw_request_pipelined, between two of three routed servers",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) {
			at, err := s.routed(ctx)
			if err != nil {
				return nil, err
			}
			return rawPipelined(s, at[0], at[1], replySubjects)
		},
	},
	{
		Name: "tasks_async_3_routed", Unit: "tasks/s", Baseline: "raw_request_pipelined_routed", Inside: true,
		About: "a backlog as in tasks_async, with a worker on each of three routed servers and the driver on one of them",
		Setup: func(ctx context.Context, s *Stage) (Timed, error) { return tasksRouted(ctx, s) },
	},
}

func tasksRouted(ctx context.Context, s *Stage, tune ...func(*node.Config)) (Timed, error) {
	at, err := s.routed(ctx)
	if err != nil {
		return nil, err
	}
	return tasksBetween(ctx, s, at[0], at, tune...)
}

// routed starts servers that form one NATS cluster, and returns them once JetStream has a leader.
func (s *Stage) routed(ctx context.Context) (places []Place, err error) {
	addresses, err := freeport.Loopback(routedServers)
	if err != nil {
		return nil, err
	}
	var routes []string
	for _, address := range addresses {
		routes = append(routes, "nats://"+address)
	}
	for _, address := range addresses {
		if err := s.serve(embedded.Config{Listen: "127.0.0.1:0", ClusterListen: address, Routes: routes}); err != nil {
			return nil, err
		}
	}
	for i, server := range s.servers {
		if err := server.AwaitJetStream(ctx); err != nil {
			return nil, err
		}
		places = append(places, s.place(i))
	}
	return places, nil
}
