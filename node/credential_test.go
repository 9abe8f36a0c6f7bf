package node_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"manta/node"
)

// login is a kind of credentials: how a server asks for them, how a node gives them, and wrong ones.
type login struct {
	name    string
	server  string // its configuration
	url     func(server string) string
	options []nats.Option
	wrong   func(server string) node.Config
	secrets []string // must not be seen anywhere
}

func inOptions(server string) string { return server }

// inURL puts credentials into a URL.
func inURL(credentials string) func(string) string {
	return func(server string) string { return strings.Replace(server, "://", "://"+credentials+"@", 1) }
}

func withOptions(opts ...nats.Option) func(string) node.Config {
	return func(server string) node.Config { return node.Config{URL: server, Options: opts} }
}

func withURL(credentials string) func(string) node.Config {
	return func(server string) node.Config { return node.Config{URL: inURL(credentials)(server)} }
}

func logins(t *testing.T) []login {
	a := newAuthority(t)
	tls := fmt.Sprintf("tls { timeout: 10, cert_file: %q, key_file: %q", a.serverCert, a.serverKey)
	mutual := fmt.Sprintf("%s, ca_file: %q", tls, a.root)
	seed, public := newUserKey(t)
	otherSeed, _ := newUserKey(t)
	op := newOperator(t)
	acme, sys := op.account(t, "ACME"), op.account(t, "SYS")
	creds, userSeed := acme.user(t)
	strangers, strangersSeed := newOperator(t).account(t, "ACME").user(t)
	operatorConfig := op.config(t, sys, acme)
	const password = `authorization { users: [{ user: ada, password: "s3cr3t-of-ada" }] }`
	const token = `authorization { token: "s3cr3t-token" }`
	return []login{
		{"user and password", password, inOptions, []nats.Option{nats.UserInfo("ada", "s3cr3t-of-ada")}, withOptions(nats.UserInfo("ada", "wr0ng-s3cr3t")),
			[]string{"s3cr3t-of-ada", "wr0ng-s3cr3t"}},
		{"user and password in the URL", password, inURL("ada:s3cr3t-of-ada"), nil, withURL("ada:wr0ng-s3cr3t"), []string{"s3cr3t-of-ada", "wr0ng-s3cr3t"}},
		{"token", token, inOptions, []nats.Option{nats.Token("s3cr3t-token")}, withOptions(nats.Token("wr0ng-s3cr3t")), []string{"s3cr3t-token", "wr0ng-s3cr3t"}},
		{"token in the URL", token, inURL("s3cr3t-token"), nil, withURL("wr0ng-s3cr3t"), []string{"s3cr3t-token", "wr0ng-s3cr3t"}},
		{"nkey", fmt.Sprintf("authorization { users: [{ nkey: %s }] }", public), inOptions, []nats.Option{keyOption(t, seed)}, withOptions(keyOption(t, otherSeed)),
			[]string{seed, otherSeed}},
		{"creds file", operatorConfig, inOptions, []nats.Option{nats.UserCredentials(creds)}, withOptions(nats.UserCredentials(strangers)),
			[]string{userSeed, strangersSeed, jwtIn(t, creds)}},
		{"JWT", operatorConfig, inOptions, []nats.Option{nats.UserJWTAndSeed(jwtIn(t, creds), userSeed)}, withOptions(nats.UserJWTAndSeed(jwtIn(t, creds), strangersSeed)),
			[]string{userSeed, strangersSeed, jwtIn(t, creds)}},
		{"TLS", tls + "}", inOptions, []nats.Option{nats.RootCAs(a.root)}, withOptions(), nil},
		{"certificates of both sides", mutual + ", verify: true }", inOptions, []nats.Option{nats.RootCAs(a.root), nats.ClientCert(a.clientCert, a.clientKey)},
			withOptions(nats.RootCAs(a.root)), nil},
		{"a certificate that names the user", mutual + `, verify_and_map: true }, authorization { users: [{ user: "CN=worker" }] }`, inOptions,
			[]nats.Option{nats.RootCAs(a.root), nats.ClientCert(a.clientCert, a.clientKey)}, withOptions(nats.RootCAs(a.root), nats.ClientCert(a.serverCert, a.serverKey)), nil},
	}
}

func TestNodesConnectWithEveryKindOfCredentialsAndShowThemNowhere(t *testing.T) {
	for _, login := range logins(t) {
		t.Run(login.name, func(t *testing.T) {
			srv := serveConfig(t, login.server)
			core, logs := observer.New(zapcore.DebugLevel)
			n, ctx := start(t, node.Config{
				URL: login.url(srv.ClientURL()), Storage: jetstream.MemoryStorage, Options: login.options, Logger: zap.New(core), Registry: deeds, SharedDir: "off",
			})
			if v, err := square.Call(ctx, 7); v != 49 || err != nil {
				t.Errorf("a task: %d, %v", v, err)
			}
			interrupt(t, srv, logs)
			if v, err := square.Call(ctx, 8); v != 64 || err != nil {
				t.Errorf("a task after a reconnect: %d, %v", v, err)
			}
			refused := login.wrong(srv.ClientURL())
			refused.Logger = zap.New(core)
			wrong, _, err := node.Start(t.Context(), refused)
			if err == nil || wrong != nil || !strings.Contains(err.Error(), srv.Addr().String()) {
				t.Errorf("wrong credentials: %v, %v, want an error that names the server", wrong, err)
			}
			members, _ := node.Members(ctx)
			state, _ := json.Marshal(members)
			seen := fmt.Sprintf("%s %s %v %+v", state, n.Server(), err, n.Stats())
			for _, entry := range logs.All() {
				seen += fmt.Sprintf("\n%s %v", entry.Message, entry.ContextMap())
			}
			for _, secret := range login.secrets {
				if strings.Contains(seen, secret) {
					t.Errorf("%s is in %s", secret, seen)
				}
			}
		})
	}
}

// interrupt breaks every connection of a server, and waits until the node whose logs these are is back.
func interrupt(t *testing.T, srv *server.Server, logs *observer.ObservedLogs) {
	t.Helper()
	connections, err := srv.Connz(&server.ConnzOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range connections.Conns {
		_ = srv.DisconnectClientByID(c.Cid) // it may have gone by itself
	}
	deadline, look := time.After(patience), time.NewTicker(5*time.Millisecond)
	defer look.Stop()
	for logs.FilterMessage("NATS connection is back").Len() == 0 {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("the node did not connect again within %v", patience)
		}
	}
}

func newUserKey(t *testing.T) (seed, public string) {
	t.Helper()
	return keysOf(t, nkeys.CreateUser)
}

func keysOf(t *testing.T, create func() (nkeys.KeyPair, error)) (seed, public string) {
	t.Helper()
	pair, err := create()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	public, err = pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return string(secret), public
}

// keyOption is the option of an nkey in a file.
func keyOption(t *testing.T, seed string) nats.Option {
	t.Helper()
	file := filepath.Join(t.TempDir(), "user.nk")
	if err := os.WriteFile(file, []byte(seed), 0o600); err != nil {
		t.Fatal(err)
	}
	opt, err := nats.NkeyOptionFromSeed(file)
	if err != nil {
		t.Fatal(err)
	}
	return opt
}

// operator signs accounts, which sign users: the form in which NATS keeps no user on the server.
type operator struct {
	key nkeys.KeyPair
	jwt string
}

type account struct {
	name   string
	key    nkeys.KeyPair
	public string
	jwt    string
}

func newOperator(t *testing.T) operator {
	t.Helper()
	seed, public := keysOf(t, nkeys.CreateOperator)
	key, err := nkeys.FromSeed([]byte(seed))
	if err != nil {
		t.Fatal(err)
	}
	return operator{key, encode(t, jwt.NewOperatorClaims(public), key)}
}

type claims interface {
	Encode(nkeys.KeyPair) (string, error)
}

func encode(t *testing.T, c claims, key nkeys.KeyPair) string {
	t.Helper()
	text, err := c.Encode(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// account signs an account, with JetStream but for that of the system.
func (o operator) account(t *testing.T, name string) account {
	t.Helper()
	seed, public := keysOf(t, nkeys.CreateAccount)
	key, err := nkeys.FromSeed([]byte(seed))
	if err != nil {
		t.Fatal(err)
	}
	c := jwt.NewAccountClaims(public)
	c.Name = name
	if name != "SYS" {
		c.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	}
	return account{name, key, public, encode(t, c, o.key)}
}

// user signs a user and returns its file.
func (a account) user(t *testing.T) (file, seed string) {
	t.Helper()
	seed, public := newUserKey(t)
	text, err := jwt.FormatUserConfig(encode(t, jwt.NewUserClaims(public), a.key), []byte(seed))
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "user.creds")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file, seed
}

func jwtIn(t *testing.T, creds string) string {
	t.Helper()
	text, err := os.ReadFile(creds)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.ParseDecoratedJWT(text)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// config is that of a server with these accounts, the system's first.
func (o operator) config(t *testing.T, sys account, others ...account) string {
	t.Helper()
	preload := fmt.Sprintf("%s: %s\n", sys.public, sys.jwt)
	for _, a := range others {
		preload += fmt.Sprintf("%s: %s\n", a.public, a.jwt)
	}
	return fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: {\n%s}", o.jwt, sys.public, preload)
}
