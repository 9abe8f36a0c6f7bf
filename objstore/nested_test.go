package objstore_test

import (
	"context"
	"fmt"
	"testing"

	"manta/node"
	"manta/node/nodetest"
	"manta/objstore"
	"manta/task"
)

// parcel holds refs wherever a value can.
type parcel struct {
	One   objstore.Ref[string]
	Many  []objstore.Ref[string]
	ByKey map[string]objstore.Ref[string]
	Deep  *struct{ Any any }
}

func pack(ctx context.Context, text string) parcel {
	return parcel{
		One:   objstore.Put(ctx, text+"1"),
		Many:  []objstore.Ref[string]{objstore.Put(ctx, text+"2"), objstore.Put(ctx, text+"3")},
		ByKey: map[string]objstore.Ref[string]{"k": objstore.Put(ctx, text+"4")},
		Deep:  &struct{ Any any }{objstore.Put(ctx, text+"5")},
	}
}

func unpack(ctx context.Context, p parcel) (texts []string, err error) {
	deep, ok := p.Deep.Any.(objstore.Ref[any])
	if !ok {
		return nil, fmt.Errorf("a ref inside an any is a %T, want a Ref[any]", p.Deep.Any)
	}
	for _, r := range append([]objstore.Ref[string]{p.One, p.ByKey["k"]}, p.Many...) {
		text, err := r.Get(ctx)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	text, err := deep.Get(ctx)
	return append(texts, text.(string)), err
}

var (
	packs   = task.Define("pack", func(ctx context.Context, text string) (parcel, error) { return pack(ctx, text), nil })
	unpacks = task.Define("unpack", unpack)
	passes  = task.Define("pass", func(_ context.Context, r objstore.Ref[string]) (objstore.Ref[string], error) { return r, nil })
)

// clientAndWorker is a cluster whose node 0 submits and whose node 1 serves.
func clientAndWorker(t *testing.T) *nodetest.Cluster {
	return nodetest.Start(t, 2, nodetest.Configure(func(i int, cfg *node.Config) { cfg.ClientOnly = i == 0 }))
}

func TestRefsInsideArgumentsAndResultsWorkOnOtherNodes(t *testing.T) {
	c := clientAndWorker(t)
	ctx := c.Context(0)
	want := "[t1 t4 t2 t3 t5]"
	if texts, err := unpacks.Call(ctx, pack(ctx, "t")); err != nil || fmt.Sprint(texts) != want {
		t.Errorf("in an argument: %v, %v", texts, err)
	}
	p, err := packs.Call(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	if texts, err := unpack(ctx, p); err != nil || fmt.Sprint(texts) != want {
		t.Errorf("in a result: %v, %v", texts, err)
	}
	if texts, err := unpacks.On(ctx, packs.Go(ctx, "t")).Get(ctx); err != nil || fmt.Sprint(texts) != want {
		t.Errorf("from task to task: %v, %v", texts, err)
	}
}

func TestARefInsideAStoredObjectIsReadable(t *testing.T) {
	c := nodetest.Start(t, 2)
	outer := objstore.Put(c.Context(0), pack(c.Context(0), "t"))
	texts, err := unpack(c.Context(1), get(t, c.Context(1), outer))
	if err != nil || len(texts) != 5 {
		t.Errorf("got %v, %v", texts, err)
	}
}

func TestARefThatWentThereAndBackIsTheSame(t *testing.T) {
	c := clientAndWorker(t)
	r := objstore.Put(c.Context(0), "x")
	back, err := passes.Call(c.Context(0), r)
	if err != nil || back != r {
		t.Errorf("got %v, %v, want %v", back, err, r)
	}
}
