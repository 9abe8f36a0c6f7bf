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

func TestAPublishAcknowledgementThatSaysNoHasAWordForIt(t *testing.T) {
	tests := []struct {
		data string
		want error
	}{
		{`{"stream":"s","seq":1}`, nil},
		{`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 7"},"stream":"s","seq":0}`, ErrExists},
		{`{"error":{"code":503,"err_code":10077,"description":"maximum messages per subject exceeded"},"stream":"s","seq":0}`, ErrTaken},
		{`{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"stream":"s","seq":0}`, ErrQueueFull},
		{`{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"},"stream":"s","seq":0}`, ErrQueueFull},
		{`{"error":`, ErrMalformed},
	}
	for _, test := range tests {
		if got, _ := readPubAck(&Msg{Data: []byte(test.data)}); !errors.Is(got, test.want) {
			t.Errorf("%s is %v, want %v", test.data, got, test.want)
		}
	}
	refused := &jetstream.APIError{Code: 400, Description: "something else"}
	if !errors.Is(queueRefusal(refused), refused) {
		t.Errorf("what has no word is %v", queueRefusal(refused))
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
