package bus_test

import (
	"errors"
	"testing"
	"time"

	"manta/bus"
)

func TestABucketSaysWhetherItHoldsAllOfABlob(t *testing.T) {
	srv := runServer(t)
	bucket, ctx := openBucket(t, connectTo(t, srv)), within(t, 30*time.Second)
	whole, _ := write(t, bucket, 2*chunk+3)
	torn, _ := write(t, bucket, 2*chunk+4)
	stream, err := stockClient(t, srv).Stream(ctx, "OBJ_blobs")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.DeleteMsg(ctx, 5); err != nil { // the second of its three, which follow three others
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		blob bus.Blob
		want bool
	}{
		{"a whole one", whole, true},
		{"one without its second chunk", torn, false},
		{"one that was never written", bucket.NewBlob("owner", chunk), false},
	} {
		if got, err := bucket.Holds(ctx, test.blob); err != nil || got != test.want {
			t.Errorf("%s: got %v, %v, want %v", test.name, got, err, test.want)
		}
	}
}

func TestABucketThatItsServerHasLostIsNotTakenForALostBlob(t *testing.T) {
	srv := runServer(t)
	conn, ctx := connectTo(t, srv), within(t, 30*time.Second)
	bucket := openBucket(t, conn)
	blob, _ := write(t, bucket, chunk)
	if err := stockClient(t, srv).DeleteStream(ctx, "OBJ_blobs"); err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.Read(ctx, blob, nil); !errors.Is(err, bus.ErrNoBucket) || errors.Is(err, bus.ErrBlobGone) {
		t.Errorf("got %v, want ErrNoBucket", err)
	}
	openBucket(t, conn)
	if _, err := bucket.Read(ctx, blob, nil); !errors.Is(err, bus.ErrBlobGone) {
		t.Errorf("once the bucket is made again: %v, want ErrBlobGone", err)
	}
	again, want := write(t, bucket, chunk+1)
	if got, err := bucket.Read(ctx, again, nil); err != nil || len(got) != len(want) {
		t.Errorf("what is written then: %d bytes, %v", len(got), err)
	}
}
