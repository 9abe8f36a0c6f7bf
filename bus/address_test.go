package bus

import (
	"net/url"
	"testing"
)

func TestAnAddressIsShownWithoutWhatIsSecretInIt(t *testing.T) {
	for _, test := range []struct{ urls, want string }{
		{"nats://127.0.0.1:4222", "nats://127.0.0.1:4222"},
		{"nats://ada:secret@h:1", "nats://xxxxx@h:1"},
		{"nats://token@h:1", "nats://xxxxx@h:1"},
		{"ada:secret@h:1", "xxxxx@h:1"},
		{"tls://h:1, nats://ada:secret@i:2 ,nats://j", "tls://h:1,nats://xxxxx@i:2,nats://j"},
		{"nats://ada:se@cret@h:1", "nats://xxxxx@h:1"},
		{"nats://ada:se/cret@h:1", "nats://xxxxx@h:1"},
		{"nats://ada:sec,ret@h:1", "nats://xxxxx,xxxxx@h:1"},
		{"nats://h:1,ada:secret@i:2", "nats://h:1,xxxxx@i:2"},
		{"nats://127.0.0.1:port", "nats://127.0.0.1:port"},
	} {
		if got := redacted(test.urls); got != test.want {
			t.Errorf("%s is shown as %s, want %s", test.urls, got, test.want)
		}
	}
}

func TestAMalformedURLIsNotRepeated(t *testing.T) {
	for _, test := range []struct {
		urls string
		tell bool // what is wrong with it
	}{{"nats://ada:se/cret@h:1", false}, {"nats://[::1", true}} {
		_, malformed := url.Parse(test.urls)
		got := withoutURL(malformed, test.urls)
		if malformed == nil || got == malformed || (got != errMalformedURL) != test.tell {
			t.Errorf("%v became %v", malformed, got)
		}
	}
}
