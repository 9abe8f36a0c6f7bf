// Caller is a program that has nothing of integration/process but the names and signatures of its functions: it declares them, and its
// own node serves none of them. It calls each function that its arguments name, in turn, and says as JSON lines on stdout what became of
// the call, as process does.
//
//	caller -url nats://127.0.0.1:4222 noop fail
//	{"event":"result","func":"noop","value":1, …}
//	{"event":"result","func":"fail","code":"refused","error":"…", …}
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"manta/node"
	"manta/task"
)

// job is what the functions take, as far as this program cares.
type job struct {
	Tag string
	N   int
}

// result is what became of a call.
type result struct {
	Event string `json:"event"`
	Node  string `json:"node,omitempty"` // on which the function failed
	Func  string `json:"func"`
	N     int    `json:"n"`
	Value int    `json:"value"`
	Error string `json:"error,omitempty"`
	Code  string `json:"code,omitempty"`
}

// errRefused is known by its code: the error itself is another program's.
var errRefused = errors.New("refused")

func init() { task.RegisterError("refused", errRefused) }

// patience bounds a call.
const patience = 30 * time.Second

func main() {
	url := flag.String("url", "", "the NATS server's `URL`")
	flag.Parse()
	err := run(*url, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "caller:", err)
	}
	os.Exit(node.ExitCode(err))
}

func run(url string, functions []string) error {
	n, ctx, err := node.Start(context.Background(), node.Config{URL: url, Name: "caller"})
	if err != nil {
		return err
	}
	if err := awaitServed(ctx, n); err != nil {
		return errors.Join(err, n.Close())
	}
	for i, name := range functions {
		if err := say(call(ctx, name, i+1)); err != nil {
			return errors.Join(err, n.Close())
		}
	}
	return errors.Join(n.Drain(ctx), n.Close())
}

// awaitServed waits until another node is there that serves something.
func awaitServed(ctx context.Context, n *node.Node) error {
	return node.AwaitMembers(ctx, func(members []node.Info) bool {
		return slices.ContainsFunc(members, func(m node.Info) bool { return m.ID != n.ID() && len(m.Functions) > 0 })
	})
}

func call(ctx context.Context, name string, number int) result {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	value, err := task.Declare[job, int](name).Call(ctx, job{Tag: name, N: number})
	r := result{Event: "result", Func: name, N: number, Value: value}
	if err != nil {
		r.Error, r.Code = err.Error(), code(err)
	}
	if failed, ok := errors.AsType[*task.Error](err); ok {
		r.Node = failed.Node
	}
	return r
}

func code(err error) string {
	for sentinel, code := range map[error]string{
		errRefused: "refused", task.ErrNotRegistered: "not_registered", task.ErrArgument: "argument",
	} {
		if errors.Is(err, sentinel) {
			return code
		}
	}
	return "other"
}

func say(r result) error { return json.NewEncoder(os.Stdout).Encode(r) }
