package task_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"go.uber.org/zap"

	"manta/node"
	"manta/node/embedded"
	"manta/objstore"
	"manta/task"
)

// Functions are registered as package variables: every node that runs the program serves them.
var (
	shout = task.Define("shout", func(_ context.Context, s string) (string, error) {
		return strings.ToUpper(s) + "!", nil
	})
	join = task.Define2("join", func(_ context.Context, a, b string) (string, error) {
		return a + " " + b, nil
	})
	check = task.Define("check", func(_ context.Context, s string) (string, error) {
		if s == "" {
			return "", errEmpty
		}
		return s, nil
	})
	errEmpty = errors.New("nothing to say")

	count = task.DefineStream("count", func(_ context.Context, from int, yield func(int) error) error {
		for n := from; ; n++ { // until nobody wants more
			if err := yield(n); err != nil {
				return err
			}
		}
	})
)

func init() { task.RegisterError("empty", errEmpty) }

func Example() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	hello := shout.Go(ctx, "hello")               // runs somewhere; hello names its result
	world := shout.Go(ctx, "world")               // beside it
	s, err := join.On(ctx, hello, world).Get(ctx) // runs when both have a value
	fmt.Println(s, err)
	// Output: HELLO! WORLD! <nil>
}

func ExampleFunc_Call() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	s, err := shout.With(task.CPUs(0.5), task.Retries(2)).Call(ctx, "hello")
	fmt.Println(s, err)
	// Output: HELLO! <nil>
}

func ExampleFunc_Map() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	all, err := objstore.GetAll(ctx, shout.Map(ctx, []string{"one", "two", "three"}))
	fmt.Println(all, err)
	// Output: [ONE! TWO! THREE!] <nil>
}

// A strategy is an option: of the function, or of the calls made through With.
func ExampleLabels() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{Config: node.Config{Labels: map[string]string{"zone": "eu", "gpu": "a100"}}})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	s, err := shout.With(task.Labels("zone in (eu, us)", "gpu=a100")).Call(ctx, "hello")
	fmt.Println(s, err)
	_, err = shout.With(task.Labels("zone in eu")).Call(ctx, "hello")
	fmt.Println(err)
	// Output:
	// HELLO! <nil>
	// shout: labels "zone in eu": want "(" at character 9; for example "zone=eu,gpu!=a100" or "zone in (eu, us)"
}

// Close to what the node has in memory, a disk, a socket: on that node, or near it while it has room.
func ExampleOnNode() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	here := shout.With(task.OnNode(n.ID(), task.Hard))
	s, err := here.Call(ctx, "here")
	fmt.Println(s, err)
	s, err = shout.With(task.OnNode(n.ID(), task.Soft)).Call(ctx, "here if it can be")
	fmt.Println(s, err)
	// Output:
	// HERE! <nil>
	// HERE IF IT CAN BE! <nil>
}

func ExampleSpread() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	all, err := objstore.GetAll(ctx, shout.With(task.Spread()).Map(ctx, []string{"one", "two"})) // on two nodes, if there are two
	fmt.Println(all, err)
	// Output: [ONE! TWO!] <nil>
}

// Items come while the function runs; leaving the loop ends it.
func ExampleStreamFunc_Stream() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	for v, err := range count.With(task.Ahead(4)).Stream(ctx, 10) {
		if err != nil {
			log.Fatal(err)
		}
		if v == 13 {
			break
		}
		fmt.Println(v)
	}
	// Output:
	// 10
	// 11
	// 12
}

// A value beside a ref is a Put: a small one costs next to nothing.
func ExampleFunc2_On() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	s, err := join.On(ctx, shout.Go(ctx, "hello"), objstore.Put(ctx, "you")).Get(ctx)
	fmt.Println(s, err)
	// Output: HELLO! you <nil>
}

// What a function returns is recognised at the caller, on whatever node it ran.
func ExampleRegisterError() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	_, err = check.Call(ctx, "")
	failed, ok := errors.AsType[*task.Error](err)
	fmt.Println(errors.Is(err, errEmpty), ok, failed.Func, failed.Message)
	// Output: true true check nothing to say
}

var (
	fetch = task.Define("fetch", func(ctx context.Context, _ string) (string, error) {
		switch attempt := task.Current(ctx).Attempt; attempt {
		case 1:
			return "", errBusy
		case 2:
			return "", task.RetryAfter(errBusy, 5*time.Millisecond) // the service has said when to come back
		default:
			return fmt.Sprintf("fetched at attempt %d", attempt), nil
		}
	}, task.RetryOn(errBusy), task.Backoff(time.Millisecond, time.Second))
	errBusy = errors.New("the service is busy")
)

func init() { task.RegisterError("busy", errBusy) }

// What fails for a while is tried again: as the caller says with RetryOn, or the function with RetryAfter.
func ExampleRetryOn() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	s, err := fetch.Call(ctx, "report.csv")
	fmt.Println(s, err)
	// Output: fetched at attempt 3 <nil>
}

// quotaError travels with its fields.
type quotaError struct {
	Limit int
	Of    string
}

func (e quotaError) Error() string { return fmt.Sprintf("more than %d %s", e.Limit, e.Of) }

func init() { task.RegisterErrorType[quotaError]("quota") }

var upload = task.Define("upload", func(_ context.Context, files int) (int, error) {
	if files > 10 {
		return 0, fmt.Errorf("uploading: %w", task.Permanent(quotaError{10, "files"}))
	}
	return files, nil
}, task.RetryOn())

func ExampleRegisterErrorType() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	_, err = upload.Call(ctx, 11)
	quota, ok := errors.AsType[quotaError](err)
	fmt.Println(ok, quota.Limit, quota.Of)
	// Output: true 10 files
}

// Cancelling the ctx cancels the tasks that were begun with it, and what depends on them.
func Example_cancel() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	doomed, cancel := context.WithCancel(ctx)
	first := shout.With(task.Resources(map[string]float64{"megaphone": 1})).Go(doomed, "hello") // no node has one: it waits
	second := shout.On(ctx, first)
	cancel()
	_, err = second.Get(ctx)
	fmt.Println(errors.Is(err, task.ErrCancelled))
	// Output: true
}

// A ref is enough to cancel its task, in any process that has it.
func ExampleCancel() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	waits := shout.With(task.Resources(map[string]float64{"megaphone": 1})).Go(ctx, "hello") // no node has one
	fmt.Println(task.Cancel(ctx, waits))
	_, err = waits.Get(ctx)
	fmt.Println(errors.Is(err, task.ErrCancelled))

	done := shout.Go(ctx, "hello")
	s, err := done.Get(ctx)
	fmt.Println(s, err, task.Cancel(ctx, done)) // too late: the value stays
	// Output:
	// <nil>
	// true
	// HELLO! <nil> <nil>
}

func ExampleDurable() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()

	ref := shout.With(task.Durable(task.KeepResult(time.Hour))).Go(ctx, "hello")
	if err := task.Submitted(ctx, ref); err != nil { // from here on this process may die
		log.Fatal(err)
	}
	id := ref.ID() // to be kept, and given to task.Result in any process
	s, err := task.Result[string](ctx, id)
	fmt.Println(s, err)
	// Output: HELLO! <nil>
}

func ExampleLogger() {
	n, ctx, err := embedded.Start(context.Background(), embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()
	if _, err := stow.Call(ctx, "apples"); err != nil {
		log.Fatal(err)
	}
	for line, err := range node.Logs(ctx, node.LogQuery{Task: "stow", Follow: true}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(line.Task, line.Attempt, line.Level, line.Message, line.Fields)
		break
	}
	// Output: stow 1 info into the hold map[what:apples]
}

var stow = task.Define("stow", func(ctx context.Context, what string) (int, error) {
	task.Logger(ctx).Info("into the hold", zap.String("what", what))
	return len(what), nil
})
