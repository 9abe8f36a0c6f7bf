package node_test

import (
	"context"
	"fmt"

	"manta/node"
	"manta/node/embedded"
	"manta/task"
)

var divide = task.Define("divide", func(_ context.Context, by int) (int, error) {
	if by == 0 {
		return 0, fmt.Errorf("division by zero")
	}
	return 100 / by, nil
})

func ExampleListTasks() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{Config: node.Config{Name: "here"}})
	if err != nil {
		panic(err)
	}
	defer n.Close()
	_, _ = divide.Call(ctx, 0)

	state, _ := node.ParseFilter("state=failed")
	for { // it is told within a quarter of a second
		failed, err := node.ListTasks(ctx, node.Query{Filters: []node.Filter{state}})
		if err != nil {
			panic(err)
		}
		for _, t := range failed.Items {
			fmt.Println(t.Func, "on", t.NodeName, t.State, t.Attempt)
			return
		}
	}
	// Output: divide on here failed 1
}
