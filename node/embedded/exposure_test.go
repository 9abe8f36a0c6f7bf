package embedded_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"manta/node"
	"manta/node/embedded"
)

// certify writes a certificate for 127.0.0.1 that is its own authority.
func certify(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	signed, err := x509.CreateCertificate(rand.Reader, of, of, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}))),
		write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})))
}

func write(t *testing.T, name, content string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAServerThatOthersReachHasCredentialsAndTLS(t *testing.T) {
	cert, key := certify(t)
	tls := "tls { cert_file: '" + cert + "', key_file: '" + key + "' }\n"
	routeTLS := "cluster { tls { cert_file: '" + cert + "', key_file: '" + key + "', ca_file: '" + cert + "' } }\n"
	const users = "authorization { users: [{ user: ada, password: pw }] }\n"
	const everywhere = "0.0.0.0:4222"
	for name, test := range map[string]struct {
		cfg    embedded.Config
		config string
		says   string // empty: it is accepted
	}{
		"nothing":                      {embedded.Config{Listen: everywhere}, "", `"0.0.0.0:4222"`},
		"credentials without TLS":      {embedded.Config{Listen: everywhere}, users, "without credentials and TLS"},
		"TLS without credentials":      {embedded.Config{Listen: everywhere}, tls, "without credentials and TLS"},
		"TLS for those who want it":    {embedded.Config{Listen: everywhere}, users + tls + "allow_non_tls: true", "Config.ServerConfig"},
		"a user for those without":     {embedded.Config{Listen: everywhere}, users + tls + "no_auth_user: ada", "Config.ServerConfig"},
		"accounts without users":       {embedded.Config{Listen: everywhere}, "accounts { A {} }\n" + tls, "Config.ServerConfig"},
		"both":                         {embedded.Config{Listen: everywhere}, users + tls, ""},
		"a token":                      {embedded.Config{Listen: everywhere}, "authorization { token: pw }\n" + tls, ""},
		"users of accounts":            {embedded.Config{Listen: everywhere}, "accounts { A { users: [{ user: ada, password: pw }] } }\n" + tls, ""},
		"certificates of both sides":   {embedded.Config{Listen: everywhere}, strings.Replace(tls, "}", ", ca_file: '"+cert+"', verify: true }", 1), ""},
		"nothing, and Insecure":        {embedded.Config{Listen: everywhere, Insecure: true}, "", ""},
		"nothing, for this machine":    {embedded.Config{Listen: "127.0.0.1:4222"}, "", ""},
		"routes without TLS":           {embedded.Config{ClusterListen: "192.0.2.1:6222"}, users + tls, "Config.ClusterListen"},
		"routes with TLS":              {embedded.Config{ClusterListen: "192.0.2.1:6222"}, routeTLS, ""},
		"a websocket for all":          {embedded.Config{}, users + "websocket { port: 80, no_tls: true }", "websocket"},
		"a websocket for this machine": {embedded.Config{}, "websocket { host: '127.0.0.1', port: 80, no_tls: true }", ""},
		"a monitor for all":            {embedded.Config{}, users + tls + "http_port: 8222", "http"},
		"leaf nodes for all":           {embedded.Config{}, users + "leafnodes { port: 7422 }", "leafnodes"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.config != "" {
				test.cfg.ServerConfig = write(t, "nats.conf", test.config)
			}
			err := embedded.Exposed(test.cfg)
			switch {
			case test.says == "" && err != nil:
				t.Errorf("got %v, want it accepted", err)
			case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "127.0.0.1")):
				t.Errorf("got %v, want %q and the fix", err, test.says)
			}
		})
	}
}

func TestAServerConfigSaysNothingThatConfigHasAFieldFor(t *testing.T) {
	for config, says := range map[string]string{
		"listen: '127.0.0.1:4222'":               "Config.Listen",
		"port: 4222":                             "Config.Listen",
		"jetstream { store_dir: 'elsewhere' }":   "Config.Dir",
		"cluster { listen: '127.0.0.1:6222' }":   "Config.ClusterListen",
		"cluster { name: mine }":                 "Config.ClusterName",
		"cluster { routes: ['nats://h:6222'] }":  "Config.Routes",
		"server_name: mine":                      "Config.ClusterListen",
		"authorization { users: [{ user: ada ]}": "Config.ServerConfig",
		"no_such_setting: 1":                     "no_such_setting",
	} {
		_, err := embedded.RunServer(embedded.Config{ServerConfig: write(t, "nats.conf", config)})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want it to name %s", config, err, says)
		}
	}
	if _, err := embedded.RunServer(embedded.Config{ServerConfig: "/no/such/file"}); err == nil || !strings.Contains(err.Error(), "/no/such/file") {
		t.Errorf("got %v, want it to name the file", err)
	}
}

func TestTheServerInsideAsksForCredentialsOverTLSAlsoItsOwnNode(t *testing.T) {
	cert, key := certify(t)
	t.Setenv("MANTA_CERT", cert)
	t.Setenv("MANTA_KEY", key)
	for _, user := range []string{"WORKER", "ALICE", "OLIVE", "ADA", "PAUL", "POLLY"} {
		t.Setenv(user+"_PASSWORD", "pw-of-"+strings.ToLower(user))
	}
	cfg := embedded.Config{
		Config: node.Config{Options: []nats.Option{nats.UserInfo("worker", "pw-of-worker")}}, Listen: "127.0.0.1:0",
		ServerConfig: "../../docs/permissions/nats.conf", Dir: t.TempDir(),
	}
	if err := embedded.Exposed(cfg); err != nil {
		t.Error(err)
	}
	n, ctx := start(t, cfg)
	if v, err := double.Call(ctx, 21); v != 42 || err != nil {
		t.Errorf("a task: %d, %v", v, err)
	}
	if nc, err := nats.Connect(n.Server(), nats.RootCAs(cert)); err == nil {
		nc.Close()
		t.Error("it takes clients without credentials")
	}
	if nc, err := nats.Connect(strings.Replace(n.Server(), "tls://", "nats://", 1), nats.UserInfo("ada", "pw-of-ada")); err == nil {
		nc.Close()
		t.Error("it takes clients that do not know its certificate")
	}
	ada, err := nats.Connect(n.Server(), nats.RootCAs(cert), nats.UserInfo("ada", "pw-of-ada"), nats.CustomInboxPrefix("_INBOX.ada"))
	if err != nil {
		t.Fatal(err)
	}
	defer ada.Close()
	if reply, err := ada.Request("manta.default.task.double", []byte("21"), patience); err != nil || string(reply.Data) != "42" {
		t.Errorf("got %+v, %v, want 42", reply, err)
	}
}

func TestANodeInsideThatGivesNoOrWrongCredentialsIsRefusedAtOnce(t *testing.T) {
	const users = "authorization { users: [{ user: ada, password: pw }] }"
	long := strings.Repeat("wr0ng", 200) // more than the server reads at once
	for name, opts := range map[string][]nats.Option{
		"none": nil, "wrong": {nats.UserInfo("ada", "wr0ng")}, "long": {nats.UserInfo("ada", long)},
	} {
		begun := time.Now()
		_, _, err := embedded.Start(t.Context(), embedded.Config{Config: node.Config{Options: opts}, ServerConfig: write(t, "nats.conf", users)})
		if err == nil || !strings.Contains(err.Error(), "Config.Options") || strings.Contains(err.Error(), "wr0ng") {
			t.Errorf("%s: got %v, want it to say where credentials go", name, err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s: it took %v", name, took)
		}
	}
	start(t, embedded.Config{Config: node.Config{Options: []nats.Option{nats.UserInfo("ada", "pw")}}, ServerConfig: write(t, "nats.conf", users)})
}

func TestTheServersOfAClusterTakeRoutesOverTLSAlone(t *testing.T) {
	cert, key := certify(t)
	config := write(t, "nats.conf", "accounts { A { jetstream: enabled, users: [{ user: ada, password: pw }] } }\n"+
		"cluster { tls { timeout: 10, cert_file: '"+cert+"', key_file: '"+key+"', ca_file: '"+cert+"' } }")
	addresses, routes := places(t, 2)
	var configs []embedded.Config
	for _, address := range addresses {
		configs = append(configs, embedded.Config{
			Config: node.Config{Options: []nats.Option{nats.UserInfo("ada", "pw")}}, ClusterListen: address, Routes: routes, ServerConfig: config,
		})
	}
	nodes := cluster(t, configs...)
	if v, err := double.Call(nodes[0].ctx, 21); v != 42 || err != nil {
		t.Errorf("a task: %d, %v", v, err)
	}
	stranger, err := embedded.RunServer(embedded.Config{ClusterListen: "127.0.0.1:0", Routes: routes})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	bounded, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := stranger.AwaitJetStream(bounded); err == nil || !strings.Contains(err.Error(), "in touch with 0 others") {
		t.Errorf("a server without a certificate: %v, want it in touch with nobody", err)
	}
}
