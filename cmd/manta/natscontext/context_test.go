package natscontext_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"manta/cmd/manta/natscontext"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// configured has a configuration with files, by their paths in it.
func configured(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	for name, text := range files {
		path := filepath.Join(dir, "nats", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTheSelectedContextIsReadUnlessAnotherIsNamed(t *testing.T) {
	dir := configured(t, map[string]string{
		"context.txt":       "home\n",
		"context/home.json": `{"url": "nats://home:4222", "user": "ann", "password": "secret", "inbox_prefix": "_INBOX.ann", "description": "x"}`,
		"context/work.json": `{"url": "tls://work:4222", "creds": "$XDG_CONFIG_HOME/nats/work.creds", "ca": "~/ca.pem", "tls_first": true}`,
	})
	t.Setenv("HOME", "/home/ann")
	for name, want := range map[string]natscontext.Context{
		"":     {Name: "home", URL: "nats://home:4222", User: "ann", Password: "secret", InboxPrefix: "_INBOX.ann"},
		"work": {Name: "work", URL: "tls://work:4222", Creds: dir + "/nats/work.creds", CA: "/home/ann/ca.pem", TLSFirst: true},
		dir + "/nats/context/home.json": {
			Name: dir + "/nats/context/home.json", URL: "nats://home:4222", User: "ann", Password: "secret", InboxPrefix: "_INBOX.ann",
		},
	} {
		if got, err := natscontext.Load(name); err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", name, got, err, want)
		}
	}
}

func TestWithoutASelectedContextThereIsNone(t *testing.T) {
	configured(t, nil)
	if got, err := natscontext.Load(""); err != nil || got != (natscontext.Context{}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAContextThatCannotBeUsedSaysWhy(t *testing.T) {
	configured(t, map[string]string{
		"context/one.json": `{}`, "context/two.json": `{"creds": "op://vault/x"}`, "context/bad.json": `{`,
		"context/proxy.json": `{"socks_proxy": "localhost:1080"}`, "context/nsc.json": `{"nsc": "nsc://o/a/u"}`,
	})
	for name, want := range map[string]string{
		"three": "there are bad, nsc, one, proxy, two", "two": "op://", "bad": `"bad"`, "proxy": "socks_proxy", "nsc": "nsc", "../x": "no name",
	} {
		if _, err := natscontext.Load(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", name, err, want)
		}
	}
	configured(t, nil)
	if _, err := natscontext.Load("one"); err == nil || !strings.Contains(err.Error(), "there are none") {
		t.Errorf("of none: %v", err)
	}
}

func TestOptionsAreThoseOfTheFirstCredentials(t *testing.T) {
	creds := filepath.Join(t.TempDir(), "x.creds")
	if err := os.WriteFile(creds, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		context natscontext.Context
		want    func(nats.Options) bool
	}{
		"a user":       {natscontext.Context{User: "ann", Password: "p", Creds: creds}, func(o nats.Options) bool { return o.User == "ann" && o.Password == "p" && o.UserJWT == nil }},
		"credentials":  {natscontext.Context{Creds: creds}, func(o nats.Options) bool { return o.UserJWT != nil }},
		"a token":      {natscontext.Context{Token: "t"}, func(o nats.Options) bool { return o.Token == "t" }},
		"an inbox":     {natscontext.Context{InboxPrefix: "_INBOX.ann"}, func(o nats.Options) bool { return o.InboxPrefix == "_INBOX.ann" }},
		"TLS at first": {natscontext.Context{TLSFirst: true}, func(o nats.Options) bool { return o.TLSHandshakeFirst }},
	} {
		options, err := c.context.Options()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var all nats.Options
		for _, o := range options {
			if err := o(&all); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if !c.want(all) {
			t.Errorf("%s: got %+v", name, all)
		}
	}
	if options, err := (natscontext.Context{}).Options(); len(options) > 0 || err != nil {
		t.Errorf("of nothing: %v, %v", reflect.ValueOf(options), err)
	}
	for _, c := range []natscontext.Context{{Creds: "/none/x.creds"}, {NKey: creds}, {Cert: creds}, {Key: creds}, {CA: "/none/ca.pem"}} {
		if _, err := c.Options(); err == nil {
			t.Errorf("%+v makes options", c)
		}
	}
}
