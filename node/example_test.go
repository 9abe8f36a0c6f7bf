package node_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"manta/node"
	"manta/node/embedded"
	"manta/task"
)

var greet = task.Define("greet", func(_ context.Context, name string) (string, error) { return "hello, " + name, nil })

func Example() {
	server, err := embedded.RunServer(embedded.Config{Listen: "127.0.0.1:0"}) // in place of a NATS server of your own
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	worker, _, err := node.Start(context.Background(), node.Config{URL: server.URL(), Name: "worker"})
	if err != nil {
		log.Fatal(err)
	}
	defer worker.Close()
	client, ctx, err := node.Start(context.Background(), node.Config{URL: server.URL(), Name: "client", ClientOnly: true})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	s, err := greet.Call(ctx, "world") // on the worker: a client serves nothing
	fmt.Println(s, err)
	// Output: hello, world <nil>
}

func ExampleNode_Why() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{Config: node.Config{CPUs: 4, Labels: map[string]string{"zone": "eu"}}})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	r := greet.With(task.Labels("zone=us")).Go(ctx, "world")
	why, err := n.Why(ctx, r.ID())
	fmt.Println(strings.Replace(why, n.ID(), "…", 1), err)
	// Output: no node matches zone=us, the nodes have: node … CPU:4 with zone=eu <nil>
}

func ExampleAwaitMembers() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{Config: node.Config{Name: "alice", CPUs: 4}})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	var members []node.Info
	err = node.AwaitMembers(ctx, func(there []node.Info) bool {
		members = there
		return len(there) >= 1
	})
	fmt.Println(members[0].Name, members[0].Resources, err)
	// Output: alice CPU:4 <nil>
}
