package embedded_test

import (
	"context"
	"fmt"
	"log"

	"github.com/nats-io/nats.go"

	"manta/node/embedded"
)

func Example() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{}) // no server to install, no port, no file
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	fmt.Println(double.Call(ctx, 21))
	// Output: 42 <nil>
}

// With Listen, any NATS client calls what the node serves.
func ExampleConfig_listen() {
	n, _, err := embedded.Start(context.Background(), embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	client, err := nats.Connect(n.Server())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	reply, err := client.Request("manta.default.task.double", []byte("21"), patience)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", reply.Data)
	// Output: 42
}

// Of three processes each runs this with a ClusterListen of its own: they are one cluster, which goes on without any of them.
func ExampleConfig_clusterListen() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{ // waits until one of the others is there
		ClusterListen: "127.0.0.1:6222",
		Routes:        []string{"nats://127.0.0.1:6222", "nats://127.0.0.1:6223", "nats://127.0.0.1:6224"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	fmt.Println(double.Call(ctx, 21))
}
