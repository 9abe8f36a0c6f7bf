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

func ExampleNode_RunUntilSignal() {
	ctx, cancel := context.WithCancel(context.Background())
	n, nodeCtx, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	lastWork.Go(nodeCtx)
	cancel() // drains, as a first SIGTERM would
	err = n.RunUntilSignal(ctx)
	fmt.Println("exit", node.ExitCode(err))
	// Output:
	// finished
	// exit 0
}

var lastWork = task.Define0("last_work", func(context.Context) (task.None, error) {
	fmt.Println("finished")
	return task.None{}, nil
})

var (
	forGPUs = task.NewRegistry()
	render  = task.Define("render", func(ctx context.Context, scene string) (string, error) { return "a picture of " + scene, nil }, task.In(forGPUs))
)

func ExampleConfig_registry() {
	server, err := embedded.RunServer(embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	gpus, _, err := node.Start(context.Background(), node.Config{URL: server.URL(), Name: "gpus", Registry: forGPUs})
	if err != nil {
		log.Fatal(err)
	}
	defer gpus.Close()
	others, ctx, err := node.Start(context.Background(), node.Config{URL: server.URL(), Name: "others"})
	if err != nil {
		log.Fatal(err)
	}
	defer others.Close()

	picture, err := render.Call(ctx, "a bridge") // made at others, runs at gpus
	fmt.Println(picture, err)
	members, err := node.Members(ctx)
	fmt.Println(members[0].Name, members[0].Functions, err)
	// Output:
	// a picture of a bridge <nil>
	// gpus [render] <nil>
}
