package node_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// guarded is a NATS server with the configuration of docs/permissions.
type guarded struct {
	*server.Server
	authority authority
}

// passwords are those of the users in docs/permissions/nats.conf.
var passwords = map[string]string{
	"worker": "wheel-7", "alice": "apple-7", "olive": "onion-7", "ada": "amber-7", "paul": "pearl-7", "polly": "peach-7",
}

// serveTemplates starts a NATS server with docs/permissions/nats.conf as it is.
func serveTemplates(t *testing.T) guarded {
	t.Helper()
	return serveNamespace(t, "default")
}

// serveNamespace is serveTemplates with the namespace replaced, as the files say.
func serveNamespace(t *testing.T, namespace string) guarded {
	t.Helper()
	const templates = "../docs/permissions"
	dir := t.TempDir()
	files, err := filepath.Glob(templates + "/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = []byte(strings.ReplaceAll(string(text), "default", namespace))
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := newAuthority(t)
	t.Setenv("MANTA_CERT", a.serverCert)
	t.Setenv("MANTA_KEY", a.serverKey)
	for user, password := range passwords {
		t.Setenv(strings.ToUpper(user)+"_PASSWORD", password)
	}
	return guarded{serveFile(t, filepath.Join(dir, "nats.conf")), a}
}

// serveConfig starts a NATS server with a configuration, given as text.
func serveConfig(t *testing.T, config string) *server.Server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return serveFile(t, file)
}

func serveFile(t *testing.T, file string) *server.Server {
	t.Helper()
	opts, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	opts.Host, opts.Port, opts.NoSigs, opts.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	opts.JetStream, opts.StoreDir = true, t.TempDir()
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	if !srv.ReadyForConnections(patience) {
		t.Fatal("the server is not ready")
	}
	return srv
}

// as are the options of a user.
func (g guarded) as(user string) []nats.Option {
	return []nats.Option{nats.UserInfo(user, passwords[user]), nats.RootCAs(g.authority.root)}
}

// connect connects a plain client as a user, and sends what the server does not permit to denied.
func (g guarded) connect(t *testing.T, user string) (nc *nats.Conn, denied <-chan error) {
	t.Helper()
	errs := make(chan error, 100)
	nc, err := nats.Connect(g.ClientURL(), append(g.as(user), nats.CustomInboxPrefix("_INBOX."+user),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { errs <- err }))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc, errs
}
