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
	secret, cut := "nats://ada:se/cret@h:1", "nats://[::1"
	_, err := url.Parse(secret)
	if got := withoutURL(err, secret); err == nil || got != errMalformedURL {
		t.Errorf("%v became %v, which may have a part of the password", err, got)
	}
	_, err = url.Parse(cut)
	if got := withoutURL(err, cut); got == nil || got == errMalformedURL || got == err {
		t.Errorf("got %v, want what is wrong, without the URL", got)
	}
}
