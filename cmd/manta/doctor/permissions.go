package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"

	"manta/bus"
)

// A role is one of those that docs/permissions has a template for, with subjects that it may use and that do nothing when they are.
type role struct {
	name               string
	publish, subscribe []string
}

// roles are those of a namespace. A caller's are known only if it says who it is.
func roles(namespace, caller string) []role {
	s := bus.NewSubjects(namespace)
	nobody := "doctor" // is no node, function, stream or consumer
	info := func(stream string) string { return "$JS.API.STREAM.INFO." + stream }
	service := func(verb string) string { return bus.ServiceSubject(verb, s.Service(), nobody) }
	worker := role{
		name: "worker",
		publish: []string{
			s.Task(nobody), s.NodeTask(nobody, nobody), s.Reply("node", nobody), bus.ServiceSubject("INFO", s.WorkerService(), nobody), "$JS.API.INFO",
			info("KV_" + s.NodesTable()), info("KV_" + s.LeasesTable()), info("KV_" + s.ActorsTable()), info("OBJ_" + s.ObjectsBucket()),
			info(s.DurableQueue()), info("KV_" + s.ResultsTable()), info("KV_" + s.RequestsTable()),
			"$JS.API.CONSUMER.MSG.NEXT." + s.DurableQueue() + "." + nobody,
		},
		subscribe: []string{s.Task(nobody), s.NodeTask(nobody, "*"), s.Reply("node", nobody) + ".>", service("INFO")},
	}
	admin := worker
	admin.name = "admin"
	admin.publish = append([]string{service("STATS"), "$JS.API.STREAM.SNAPSHOT.KV_" + s.NodesTable()}, worker.publish...)
	all := []role{worker, admin, {
		name:    "observer",
		publish: []string{service("INFO"), service("STATS"), info("KV_" + s.NodesTable()), "$JS.API.DIRECT.GET.KV_" + s.NodesTable() + "." + nobody},
	}}
	if caller != "" {
		all = append(all, role{name: "caller", publish: []string{s.Reply("node", nobody) + ".taken.0"}, subscribe: []string{s.Reply(caller, nobody) + ".>"}})
	}
	return all
}

// permissions tries what each role may do.
func (x *examination) permissions(ctx context.Context) {
	fits, wanted := "", "worker"
	if x.Caller != "" {
		wanted = "caller"
	}
	var first []string
	for _, r := range roles(x.namespace(), x.Caller) {
		denied, err := x.try(ctx, r)
		switch {
		case err != nil:
			x.bad(Fail, "permissions", "look at the connection", "what this user may do was not found out: %v", err)
			return
		case len(denied) == 0:
			fits = strings.TrimPrefix(fits+", "+r.name, ", ")
		case r.name == wanted:
			first = denied
		}
	}
	fix := fmt.Sprintf("give the user the permissions in docs/permissions/%s.conf", wanted)
	switch {
	case first == nil:
		x.ok("permissions", "this user may do what is tried of these roles: %s", fits)
	case fits != "":
		x.bad(Warn, "permissions", fix+", unless this is all that it is to do", "this user has the role of %s; %s", fits, lacks(wanted, first))
	default:
		x.bad(Fail, "permissions", fix, "this user has no role: %s", lacks(wanted, first))
	}
}

func lacks(role string, denied []string) string {
	rest := ""
	if len(denied) > 2 {
		rest = fmt.Sprintf(" and %d more", len(denied)-2)
		denied = denied[:2]
	}
	return "a " + role + " may also " + strings.Join(denied, ", ") + rest
}

// try does what a role may do and returns what of it was not permitted.
func (x *examination) try(ctx context.Context, r role) (denied []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, x.Timeout)
	defer cancel()
	for _, subject := range r.subscribe {
		sub, err := x.nc.SubscribeSync(subject)
		if err != nil {
			return nil, err
		}
		if refused, err := x.refused(ctx, subject); err != nil {
			return nil, err
		} else if refused {
			denied = append(denied, "subscribe to "+subject)
		}
		_ = sub.Unsubscribe() // its one error is that the server has refused it
	}
	for _, subject := range r.publish {
		if err := x.nc.Publish(subject, nil); err != nil {
			return nil, err
		}
		if refused, err := x.refused(ctx, subject); err != nil {
			return nil, err
		} else if refused {
			denied = append(denied, "publish to "+subject)
		}
	}
	return denied, nil
}

// refused says whether the server has not permitted what was last tried: its word comes before the answer to a flush.
func (x *examination) refused(ctx context.Context, subject string) (bool, error) {
	if err := x.nc.FlushWithContext(ctx); err != nil {
		return false, err
	}
	err := x.nc.LastError()
	return errors.Is(err, nats.ErrPermissionViolation) && strings.Contains(err.Error(), `"`+subject+`"`), nil
}
