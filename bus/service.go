package bus

import "github.com/nats-io/nats.go/micro"

// What a node says of itself as a NATS service (ADR-32 of NATS).
type (
	ServiceIdentity = micro.ServiceIdentity
	ServicePing     = micro.Ping
	ServiceInfo     = micro.Info
	ServiceStats    = micro.Stats
	EndpointInfo    = micro.EndpointInfo
	EndpointStats   = micro.EndpointStats
)

// The types of these.
const (
	ServicePingType  = micro.PingResponseType
	ServiceInfoType  = micro.InfoResponseType
	ServiceStatsType = micro.StatsResponseType
)

// ServiceSubjects are where a service is asked for one of these, by the verb PING, INFO or STATS: with all others, with those of its name, and alone.
func ServiceSubjects(verb, name, id string) []string {
	return []string{ServiceSubject(verb, "", ""), ServiceSubject(verb, name, ""), ServiceSubject(verb, name, id)}
}

// ServiceSubject is one of these: without an id all services of the name are asked, without a name all.
func ServiceSubject(verb, name, id string) string {
	subject := micro.APIPrefix + "." + verb
	for _, token := range []string{name, id} {
		if token != "" {
			subject += "." + token
		}
	}
	return subject
}
