package plain

import (
	"encoding/json"
	"sync"
	"time"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/member"
)

// Service is a node as a NATS service, one of those of its namespace: `nats service ls`, `info`, `stats` and `ping` show what it serves.
type Service struct {
	node      *member.Node
	identity  bus.ServiceIdentity
	started   time.Time
	endpoints []*Endpoint
	subs      []*bus.Subscription
}

// Announce begins to answer for a node.
func Announce(node *member.Node, info member.Info, endpoints []*Endpoint) (*Service, error) {
	s := &Service{
		node: node, started: time.Now().UTC(), endpoints: endpoints,
		identity: bus.ServiceIdentity{
			Name: node.Conn.Service(), ID: info.ID.String(), Version: info.Version, Metadata: map[string]string{"node": info.Name},
		},
	}
	for verb, answer := range map[string]func() any{"PING": s.ping, "INFO": sync.OnceValue(s.describe), "STATS": s.stats} {
		for _, subject := range bus.ServiceSubjects(verb, s.identity.Name, s.identity.ID) {
			sub, err := node.Conn.Subscribe(subject, "", func(msg *bus.Msg) { s.answer(msg, answer()) })
			if err != nil {
				s.Close()
				return nil, err
			}
			s.subs = append(s.subs, sub)
		}
	}
	return s, nil
}

// Close answers no more.
func (s *Service) Close() {
	for _, sub := range s.subs {
		_ = sub.Unsubscribe() // its one error is that the connection is closed, or that it was closed before
	}
}

func (s *Service) ping() any {
	return bus.ServicePing{ServiceIdentity: s.identity, Type: bus.ServicePingType}
}

// describe makes what info answers. If that is too much for a message it has no metadata.
func (s *Service) describe() any {
	info := bus.ServiceInfo{ServiceIdentity: s.identity, Type: bus.ServiceInfoType, Description: "tasks and actors of a Manta node"}
	for _, e := range s.endpoints {
		info.Endpoints = append(info.Endpoints, e.info())
	}
	if text := Text(info); int64(len(text)) > s.node.Conn.MaxPayload() {
		for i := range info.Endpoints {
			info.Endpoints[i].Metadata = nil
		}
	}
	return info
}

func (s *Service) stats() any {
	stats := bus.ServiceStats{ServiceIdentity: s.identity, Type: bus.ServiceStatsType, Started: s.started}
	for _, e := range s.endpoints {
		stats.Endpoints = append(stats.Endpoints, e.stats())
	}
	return stats
}

func (s *Service) answer(msg *bus.Msg, v any) {
	data, err := json.Marshal(v)
	if err == nil && msg.Reply != "" {
		err = s.node.Conn.Publish(msg.Reply, "", data)
	}
	if err != nil {
		s.node.Log.Warn("a question about this node as a service was not answered", zap.String("subject", msg.Subject), zap.Error(err))
	}
}
