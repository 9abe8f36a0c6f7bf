package bus

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

func TestAPublishAcknowledgementIsAPlaceInTheStreamOrAWordForWhatIsWrong(t *testing.T) {
	refused := func(code, description string) string {
		return `{"error":{"code":503,"err_code":` + code + `,"description":"` + description + `"},"stream":"s","seq":0}`
	}
	tests := []struct {
		data string
		seq  uint64
		want error
	}{
		{`{"stream":"s","seq":17}`, 17, nil},
		{`{"stream":"s", "seq": 17,"duplicate": true}`, 17, nil},
		{"{\n\"stream\":\"s\",\n\"seq\" : 17\n}", 17, nil},
		{`{"stream":"error","seq":17}`, 17, nil},
		{refused("10071", "wrong last sequence: 7"), 0, ErrExists},
		{refused("10077", "maximum messages per subject exceeded"), 0, ErrTaken},
		{refused("10077", "maximum messages exceeded"), 0, ErrFull},
		{refused("10077", "maximum bytes exceeded"), 0, ErrFull},
		{refused("10002", "resource limits exceeded for account"), 0, ErrFull},
		{refused("10023", "insufficient resources"), 0, ErrFull},
		{refused("10028", "insufficient memory resources available"), 0, ErrFull},
		{refused("10047", "insufficient storage resources available"), 0, ErrFull},
		{refused("10077", "raft: not leader"), 0, errUnserved},
		{refused("10008", "JetStream system temporarily unavailable"), 0, errUnserved},
		{`{"error":`, 0, ErrMalformed}, {`{"stream":"s"}`, 0, ErrMalformed}, {`{"stream":"s","seq":-1}`, 0, ErrMalformed}, {``, 0, ErrMalformed},
	}
	for _, test := range tests {
		if seq, err := readAck(&Msg{Data: []byte(test.data)}); seq != test.seq || !errors.Is(err, test.want) {
			t.Errorf("%s is %d, %v; want %d, %v", test.data, seq, err, test.seq, test.want)
		}
	}
	nobody := &Msg{Header: map[string][]string{"Status": {"503"}, "Nats-Subject": {"s.x"}}}
	if _, err := readAck(nobody); !errors.Is(err, ErrNoStream) || !notNow(err) {
		t.Errorf("no responders is %v", err)
	}
	said := &jetstream.APIError{Code: 400, Description: "something else"}
	if err := refusal(said); !errors.Is(err, said) || notNow(err) {
		t.Errorf("what has no word is %v", err)
	}
}
