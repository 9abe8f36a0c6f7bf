package bus

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func TestADeliverySaysHowOftenItsMessageWasHandedOver(t *testing.T) {
	tests := []struct {
		reply   string
		attempt int // 0: malformed
	}{
		{"$JS.ACK.stream.consumer.3.10.11.1700000000.5", 3},
		{"$JS.ACK.domain.hash.stream.consumer.4.10.11.1700000000.5.token", 4},
		{"$JS.ACK.domain.hash.stream.consumer.12.10.11.1700000000.5", 12},
		{"$JS.ACK.stream.consumer", 0}, {"$JS.ACK.a.b.x.1.1.1.1", 0}, {"_INBOX.x", 0}, {"", 0},
	}
	for _, test := range tests {
		d, err := (*Conn)(nil).deliveryOf(&Msg{Reply: test.reply})
		if d.Attempt != test.attempt || (err == nil) != (test.attempt > 0) || err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: attempt %d, %v", test.reply, d.Attempt, err)
		}
	}
}

func TestTheTimeToLiveOfAMessageIsWholeSecondsAndNeverLess(t *testing.T) {
	for ttl, want := range map[time.Duration]string{0: "", time.Second: "1", 1500 * time.Millisecond: "2", time.Hour: "3600"} {
		msg := NewMsg("s", nil)
		expire(msg, ttl)
		if got := msg.Header.Get(jetstream.MsgTTLHeader); got != want {
			t.Errorf("%v is %q, want %q", ttl, got, want)
		}
	}
}
