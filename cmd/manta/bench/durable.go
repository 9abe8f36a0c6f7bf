package bench

import (
	"context"
	"encoding/binary"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manta/objstore"
	"manta/task"
)

var durableMeasures = []Measure{
	{
		Name: "raw_work_queue", Unit: "tasks/s",
		About: "nats.go: stored by PublishAsync, fetched 500 at a time, a result written once under each id with a time to live, acknowledged; the driver watches for all results",
		Setup: rawWorkQueue,
	},
	{
		Name: "tasks_durable", Unit: "tasks/s", Baseline: "raw_work_queue",
		About: "one driver, one worker: durable no-ops by Map, read by GetAll; streams in memory, as the baseline's",
		Setup: tasksDurable,
	},
}

var durableNoop = task.Define("bench_durable", func(_ context.Context, n int) (int, error) { return n, nil })

func tasksDurable(ctx context.Context, s *Stage) (Timed, error) {
	driver, err := pair(ctx, s)
	if err != nil {
		return nil, err
	}
	durable := durableNoop.With(task.Durable())
	run := func(n int) error {
		_, err := objstore.GetAll(driver, durable.Map(driver, numbers(n)))
		return err
	}
	if err := run(s.durableWarm); err != nil {
		return nil, err
	}
	return func(context.Context) (Sample, error) {
		begun := time.Now()
		err := run(s.durable)
		return rate(s.durable, time.Since(begun)), err
	}, nil
}

// A rawQueue is what a user of plain NATS builds who wants the same: nothing is lost with the driver or a worker, and each task has one result.
type rawQueue struct {
	driver, worker jetstream.JetStream
	name           string
	consumer       jetstream.Consumer
	results        atomic.Int64
	wanted         int64
	all            chan struct{}
}

// rawFetch is how many messages the worker of the baseline fetches at a time.
const rawFetch = 500

func rawWorkQueue(ctx context.Context, s *Stage) (Timed, error) {
	at, err := s.Server()
	if err != nil {
		return nil, err
	}
	q := &rawQueue{name: s.namespace + "_raw", all: make(chan struct{}, 1)}
	if err := q.open(ctx, s, at); err != nil {
		return nil, err
	}
	working, stop := context.WithCancel(ctx)
	var worker sync.WaitGroup
	worker.Go(func() { q.work(working) })
	s.undo = append(s.undo, func() error {
		stop()
		worker.Wait()
		return nil
	})
	if err := q.run(ctx, s.durableWarm, 0); err != nil {
		return nil, err
	}
	return func(ctx context.Context) (Sample, error) {
		begun := time.Now()
		err := q.run(ctx, s.durable, s.durableWarm)
		return rate(s.durable, time.Since(begun)), err
	}, nil
}

func (q *rawQueue) open(ctx context.Context, s *Stage, at Place) error {
	connect := func() (jetstream.JetStream, *nats.Conn, error) {
		nc, err := s.Connect(at)
		if err != nil {
			return nil, nil, err
		}
		js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(2048))
		return js, nc, err
	}
	var err error
	var watching *nats.Conn
	if q.driver, watching, err = connect(); err != nil {
		return err
	}
	if q.worker, _, err = connect(); err != nil {
		return err
	}
	stream, err := q.driver.CreateStream(ctx, jetstream.StreamConfig{
		Name: q.name, Subjects: []string{q.name + ".>"}, Retention: jetstream.WorkQueuePolicy, Storage: jetstream.MemoryStorage,
	})
	if err != nil {
		return err
	}
	s.undo = append(s.undo, func() error { return q.driver.DeleteStream(context.Background(), q.name) })
	if q.consumer, err = stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: "worker", AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 1 << 16,
	}); err != nil {
		return err
	}
	if _, err := q.driver.CreateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: q.name + "_results", Storage: jetstream.MemoryStorage, LimitMarkerTTL: time.Minute,
		RePublish: &jetstream.RePublish{Source: "$KV." + q.name + "_results.>", Destination: "announced." + q.name + ".>"},
	}); err != nil {
		return err
	}
	s.undo = append(s.undo, func() error { return q.driver.DeleteKeyValue(context.Background(), q.name+"_results") })
	_, err = watching.Subscribe("announced."+q.name+".>", func(*nats.Msg) {
		if q.results.Add(1) == atomic.LoadInt64(&q.wanted) {
			q.all <- struct{}{}
		}
	})
	if err != nil {
		return err
	}
	return watching.Flush()
}

// run stores n tasks, and waits for their results.
func (q *rawQueue) run(ctx context.Context, n, first int) error {
	atomic.StoreInt64(&q.wanted, q.results.Load()+int64(n))
	for i := range n {
		msg := nats.NewMsg(q.name + ".f." + strconv.Itoa(first+i))
		msg.Data = binary.BigEndian.AppendUint64(make([]byte, 0, 8), uint64(i))
		if _, err := q.driver.PublishMsgAsync(msg, jetstream.WithStallWait(patience)); err != nil {
			return err
		}
	}
	select {
	case <-q.driver.PublishAsyncComplete():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-q.all:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// work fetches tasks until ctx ends, writes the result of each once, and acknowledges those whose results are stored.
func (q *rawQueue) work(ctx context.Context) {
	type done struct {
		task   jetstream.Msg
		stored jetstream.PubAckFuture
	}
	under := make(chan done, 2048)
	var acks sync.WaitGroup
	acks.Go(func() {
		for d := range under {
			select {
			case <-d.stored.Ok():
				_ = d.task.Ack()
			case <-d.stored.Err():
			case <-ctx.Done():
			}
		}
	})
	defer acks.Wait()
	defer close(under)
	for ctx.Err() == nil {
		batch, err := q.consumer.Fetch(rawFetch, jetstream.FetchMaxWait(time.Second))
		if err != nil {
			continue
		}
		for task := range batch.Messages() {
			result := nats.NewMsg("$KV." + q.name + "_results." + task.Subject()[len(q.name)+3:])
			result.Data = task.Data()
			result.Header.Set(jetstream.ExpectedLastSubjSeqHeader, "0")
			result.Header.Set(jetstream.MsgTTLHeader, "86400")
			stored, err := q.worker.PublishMsgAsync(result, jetstream.WithStallWait(patience))
			if err != nil {
				continue
			}
			under <- done{task, stored}
		}
	}
}
