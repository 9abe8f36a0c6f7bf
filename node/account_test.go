package node_test

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/node"
	"manta/objstore"
	"manta/task"
)

// twoAccounts are a server's configuration and the options of a user in each of its two accounts.
type twoAccounts struct {
	server    string
	red, blue []nats.Option
}

func TestTwoAccountsSeeNothingOfEachOther(t *testing.T) {
	op := newOperator(t)
	red, blue := op.account(t, "RED"), op.account(t, "BLUE")
	redCreds, _ := red.user(t)
	blueCreds, _ := blue.user(t)
	for name, accounts := range map[string]twoAccounts{
		"in a file": {
			`accounts {
				RED { jetstream: enabled, users: [{ user: red, password: "1" }] }
				BLUE { jetstream: enabled, users: [{ user: blue, password: "2" }] }
			}`,
			[]nats.Option{nats.UserInfo("red", "1")}, []nats.Option{nats.UserInfo("blue", "2")},
		},
		"of an operator": {
			op.config(t, op.account(t, "SYS"), red, blue), []nats.Option{nats.UserCredentials(redCreds)}, []nats.Option{nats.UserCredentials(blueCreds)},
		},
	} {
		for _, namespace := range []string{"red", "blue"} { // another one, and the same
			t.Run(name+"/"+namespace, func(t *testing.T) { apart(t, accounts, namespace) })
		}
	}
}

// apart starts a node in each account, one in a namespace and the other in "blue", and wants each to see itself alone.
func apart(t *testing.T, accounts twoAccounts, namespace string) {
	srv := serveConfig(t, accounts.server)
	join := func(namespace string, opts []nats.Option, serves *task.Registry) (*node.Node, context.Context) {
		return start(t, node.Config{
			URL: srv.ClientURL(), Namespace: namespace, Options: opts, Storage: jetstream.MemoryStorage, Registry: serves, SharedDir: "off",
		})
	}
	red, inRed := join(namespace, accounts.red, nil)
	blue, inBlue := join("blue", accounts.blue, deeds)
	for _, side := range []struct {
		ctx  context.Context
		node *node.Node
	}{{inRed, red}, {inBlue, blue}} {
		if members, err := node.Members(side.ctx); err != nil || len(members) != 1 || members[0].ID != side.node.ID() {
			t.Errorf("got %+v, %v, want only %s", members, err, side.node.ID())
		}
	}
	for range 20 {
		if id, err := where.Call(inRed); id != red.ID() || err != nil {
			t.Errorf("a task ran on %q, %v", id, err)
		}
	}
	if v, err := square.Call(inRed, 7); !errors.Is(err, task.ErrNotRegistered) {
		t.Errorf("what the other account serves: %d, %v", v, err)
	}
	if v, err := square.Call(inBlue, 7); v != 49 || err != nil {
		t.Errorf("in its own account: %d, %v", v, err)
	}
	object := objstore.Put(inBlue, make([]byte, 1<<20))
	if err := blue.Drain(inBlue); err != nil { // until any client can read it
		t.Fatal(err)
	}
	if _, err := readBucket(t, srv.ClientURL(), accounts.blue, object.ID()); err != nil {
		t.Errorf("an object in its own account: %v", err)
	}
	if found, err := readBucket(t, srv.ClientURL(), accounts.red, object.ID()); err == nil {
		t.Errorf("the other account reads %d bytes of it", len(found))
	}
}

func readBucket(t *testing.T, url string, opts []nats.Option, id objstore.ID) ([]byte, error) {
	t.Helper()
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	bucket, err := js.ObjectStore(ctx, "manta_blue_objects")
	if err != nil {
		return nil, err
	}
	return bucket.GetBytes(ctx, id.String())
}

func TestAnAccountCallsTheFunctionThatAnotherExportsAndNothingElse(t *testing.T) {
	for _, namespace := range []string{"default", "blue"} {
		t.Run(namespace, func(t *testing.T) {
			g := serveNamespace(t, namespace)
			_, ctx := g.worker(t, namespace)
			paul, _ := g.connect(t, "paul")
			overheard := make(chan *nats.Msg, 100)
			for _, subject := range []string{"manta.*.node.>", "manta.*.work.>", "manta.*.reply.>", "manta.*.task.other", "$KV.>"} {
				if _, err := paul.ChanSubscribe(subject, overheard); err != nil {
					t.Fatal(err)
				}
			}
			door := "manta." + namespace + ".task."
			if reply, err := paul.Request(door+"square", []byte("7"), patience); err != nil || string(reply.Data) != "49" {
				t.Errorf("what is exported: %+v, %v", reply, err)
			}
			if _, err := paul.Request(door+"secret", nil, patience); !errors.Is(err, nats.ErrNoResponders) {
				t.Errorf("what is not: %v, want that nobody is there", err)
			}
			if _, err := paul.Request("$SRV.PING", nil, patience); !errors.Is(err, nats.ErrNoResponders) {
				t.Errorf("the nodes: %v, want that nobody is there", err)
			}
			if v, err := square.Call(ctx, 8); v != 64 || err != nil {
				t.Errorf("in the account itself: %d, %v", v, err)
			}
			if err := paul.FlushTimeout(patience); err != nil {
				t.Fatal(err)
			}
			if len(overheard) > 0 {
				t.Errorf("the other account hears %+v", <-overheard)
			}
		})
	}
}
