package bench

import (
	"context"
	"encoding/json"
	"errors"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// rawChunk is the size of a message of the raw measures of large values: the fastest for JetStream.
const rawChunk = 512 << 10

// rawWindows are how many messages are unacknowledged at most: which of them is fastest depends on the machine.
var rawWindows = []int{16, 64}

var rawBlobMeasures = []Measure{
	{
		Name: "raw_copy_gigabytes", Unit: "GB/s",
		About: "plain memory: 800 MB are copied into fresh memory",
		Setup: rawCopy,
	},
	{
		Name: "raw_publish_gigabytes", Unit: "GB/s",
		About: "plain JetStream: 800 MB in messages of 512 KiB, published with 16 and with 64 unacknowledged; the faster counts",
		Setup: rawPublish,
	},
	{
		Name: "raw_read_gigabytes", Unit: "GB/s",
		About: "plain JetStream: the same 800 MB read into one piece of memory, by 16 direct gets at a time and by batches in 4 ranges; the faster counts",
		Setup: rawRead,
	},
}

// gigabytes is a sample of bytes that were moved.
func gigabytes(bytes int, took time.Duration) Sample {
	return Sample{Value: float64(bytes) / 1e9 / took.Seconds()}
}

func rawCopy(_ context.Context, s *Stage) (Timed, error) {
	debug.FreeOSMemory() // what an earlier measure has left
	from := incompressible(s.blob)
	return func(context.Context) (Sample, error) {
		begun := time.Now()
		to := make([]byte, len(from))
		copy(to, from)
		took := time.Since(begun)
		return gigabytes(len(from), took), expect(int(to[len(to)-1]), int(from[len(from)-1]))
	}, nil
}

// A rawStream is a stream in the server's memory, as the object store's is.
type rawStream struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	stream  jetstream.Stream
	subject string
}

func (s *Stage) rawStream(ctx context.Context) (*rawStream, error) {
	debug.FreeOSMemory() // what an earlier measure has left
	at, err := s.Server()
	if err != nil {
		return nil, err
	}
	nc, err := s.Connect(at)
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	name := "RAW_manta_" + s.namespace + "_raw"
	r := &rawStream{nc: nc, js: js, subject: name + ".chunk"}
	r.stream, err = js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: name, Subjects: []string{r.subject}, Storage: jetstream.MemoryStorage, AllowDirect: true, Discard: jetstream.DiscardNew,
	})
	s.undo = append(s.undo, func() error { return js.DeleteStream(context.WithoutCancel(ctx), name) })
	return r, err
}

// publish stores data and returns when all of it is acknowledged.
func (r *rawStream) publish(data []byte, window int) error {
	var sent []jetstream.PubAckFuture
	await := func() error {
		first := sent[0]
		sent = sent[1:]
		select {
		case <-first.Ok():
			return nil
		case err := <-first.Err():
			return err
		}
	}
	for start := 0; start < len(data); start += rawChunk {
		if len(sent) == window {
			if err := await(); err != nil {
				return err
			}
		}
		ack, err := r.js.PublishAsync(r.subject, data[start:min(start+rawChunk, len(data))])
		if err != nil {
			return err
		}
		sent = append(sent, ack)
	}
	for len(sent) > 0 {
		if err := await(); err != nil {
			return err
		}
	}
	return nil
}

func rawPublish(ctx context.Context, s *Stage) (Timed, error) {
	r, err := s.rawStream(ctx)
	if err != nil {
		return nil, err
	}
	data := incompressible(s.blob)
	if err := r.publish(data[:len(data)/8], rawWindows[0]); err != nil {
		return nil, err
	}
	return func(ctx context.Context) (best Sample, err error) {
		for _, window := range rawWindows {
			if err := r.stream.Purge(ctx); err != nil {
				return best, err
			}
			debug.FreeOSMemory()
			begun := time.Now()
			if err := r.publish(data, window); err != nil {
				return best, err
			}
			if got := gigabytes(len(data), time.Since(begun)); got.Value > best.Value {
				best = got
			}
		}
		return best, nil
	}, nil
}

func rawRead(ctx context.Context, s *Stage) (Timed, error) {
	r, err := s.rawStream(ctx)
	if err != nil {
		return nil, err
	}
	data := incompressible(s.blob)
	if err := r.publish(data, rawWindows[0]); err != nil {
		return nil, err
	}
	last := data[len(data)-1]
	size := len(data)
	data = nil
	return func(context.Context) (best Sample, err error) {
		for _, how := range []func(*rawReading) error{(*rawReading).singly, (*rawReading).inRanges} {
			debug.FreeOSMemory()
			begun := time.Now()
			got, err := r.read(size, how)
			if err != nil {
				return best, err
			}
			took := time.Since(begun)
			if err := expect(int(got[size-1]), int(last)); err != nil {
				return best, err
			}
			if sample := gigabytes(size, took); sample.Value > best.Value {
				best = sample
			}
		}
		return best, nil
	}, nil
}

// A rawReading reads the stream into one piece of memory.
type rawReading struct {
	*rawStream
	answers  *nats.Subscription
	into     []byte
	messages int
}

// read reads that many bytes, from the first message on.
func (r *rawStream) read(size int, how func(*rawReading) error) ([]byte, error) {
	answers, err := r.nc.SubscribeSync(nats.NewInbox())
	if err != nil {
		return nil, err
	}
	defer func() { _ = answers.Unsubscribe() }() // its one error is that the connection is closed
	reading := &rawReading{r, answers, make([]byte, size), (size + rawChunk - 1) / rawChunk}
	return reading.into, how(reading)
}

// direct asks for messages from a sequence on.
func (r *rawReading) direct(seq uint64, batch int) error {
	ask := map[string]any{"seq": seq}
	if batch > 0 {
		ask["batch"], ask["max_bytes"] = batch, batch*2*rawChunk
	}
	data, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	return r.nc.PublishRequest("$JS.API.DIRECT.GET."+r.stream.CachedInfo().Config.Name, r.answers.Subject, data)
}

// take copies a message to its place.
func (r *rawReading) take(msg *nats.Msg) error {
	seq, err := strconv.ParseUint(msg.Header.Get(jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return errors.New("JetStream answers " + msg.Header.Get("Status"))
	}
	copy(r.into[int(seq-1)*rawChunk:], msg.Data)
	return nil
}

// singly asks for one message at a time, 16 ahead.
func (r *rawReading) singly() error {
	asked := 0
	for got := 0; got < r.messages; got++ {
		for ; asked < r.messages && asked < got+16; asked++ {
			if err := r.direct(uint64(asked+1), 0); err != nil {
				return err
			}
		}
		msg, err := r.answers.NextMsg(replyPatience)
		if err != nil {
			return err
		}
		if err := r.take(msg); err != nil {
			return err
		}
	}
	return nil
}

// inRanges asks for 4 batches at a time, of 4 MiB each.
func (r *rawReading) inRanges() error {
	const ranges, batch = 4, 8
	asked := 0
	for got, ended := 0, 0; got < r.messages || ended*batch < asked; {
		for ; asked < r.messages && asked/batch < ended+ranges; asked += batch {
			if err := r.direct(uint64(asked+1), min(batch, r.messages-asked)); err != nil {
				return err
			}
		}
		msg, err := r.answers.NextMsg(replyPatience)
		switch {
		case err != nil:
			return err
		case msg.Header.Get("Status") == "204":
			ended++
			continue
		}
		if err := r.take(msg); err != nil {
			return err
		}
		got++
	}
	return nil
}
