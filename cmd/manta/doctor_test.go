package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"manta/cmd/manta/doctor"
	"manta/node/embedded"
)

// examined runs manta doctor and returns its checks by name.
func examined(t *testing.T, code int, args ...string) map[string]doctor.Check {
	t.Helper()
	o := manta(t, append([]string{"doctor", "-o", "json"}, args...)...)
	var checks []doctor.Check
	if err := json.Unmarshal([]byte(o.stdout), &checks); err != nil || o.code != code {
		t.Fatalf("manta doctor ended with %d, want %d: %v in %s; it says %s", o.code, code, err, o.stdout, o.stderr)
	}
	by := make(map[string]doctor.Check)
	for _, c := range checks {
		by[c.Name] = c
		if (c.State == doctor.OK) != (c.Fix == "") {
			t.Errorf("%+v: what is wrong has a fix, and nothing else", c)
		}
	}
	return by
}

func TestADoctorFindsAHealthyClusterWell(t *testing.T) {
	setup(t)
	checks := examined(t, 0)
	for _, name := range []string{
		"connection", "server", "tls", "payload", "permissions", "jetstream", "buckets", "nodes", "versions", "clock of server", "clock of worker-0", "clock of worker-2",
	} {
		if c, ok := checks[name]; !ok || c.State != doctor.OK {
			t.Errorf("%s: %+v", name, c)
		}
	}
	golden(t, "doctor", manta(t, "doctor", "-o", "json").ok())
	if got := manta(t, "doctor").ok(); !strings.Contains(got, "ok    connection") {
		t.Errorf("for people: %q", got)
	}
}

func TestADoctorSaysWhatIsWrongWithTheWayThere(t *testing.T) {
	alone(t)
	for name, c := range map[string]struct{ args, words []string }{
		"no server": {[]string{"-s", "nats://ann:secret@127.0.0.1:1"}, []string{"no servers available", "manta dev"}},
	} {
		o := manta(t, append([]string{"doctor"}, c.args...)...)
		for _, want := range c.words {
			if !strings.Contains(o.stdout, want) || strings.Contains(o.stdout+o.stderr, "secret") || o.code != exitFailed {
				t.Errorf("%s: ended with %d, wrote %q, said %q", name, o.code, o.stdout, o.stderr)
			}
		}
	}
}

func TestADoctorMissesNodes(t *testing.T) {
	alone(t)
	server, err := embedded.RunServer(embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	checks := examined(t, 0, "-s", server.URL())
	if c := checks["buckets"]; c.State != doctor.Warn || !strings.Contains(c.Fix, "manta dev") {
		t.Errorf("without a node the buckets are %+v", c)
	}
	if c := checks["nodes"]; c.State != doctor.Warn {
		t.Errorf("without a node the nodes are %+v", c)
	}
}

// guarded runs a server with the permissions of docs/permissions, without TLS, and returns its URL.
func guarded(t *testing.T) string {
	t.Helper()
	templates, err := filepath.Abs("../../docs/permissions")
	if err != nil {
		t.Fatal(err)
	}
	users := ""
	for user, role := range map[string]string{"worker": "worker", "alice": "caller", "olive": "observer", "ada": "admin"} {
		text, err := os.ReadFile(filepath.Join(templates, role+".conf"))
		if err != nil {
			t.Fatal(err)
		}
		users += "{ user: " + user + ", password: secret, permissions: {\n" + string(text) + "\n} }\n"
	}
	file := filepath.Join(t.TempDir(), "nats.conf")
	config := "accounts { CLUSTER { jetstream: enabled, users: [\n" + users + "{ user: nobody, password: secret, permissions: { publish: { deny: [\">\"] } } } ] } }\n"
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	server, err := embedded.RunServer(embedded.Config{Listen: "127.0.0.1:0", ServerConfig: file})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server.URL()
}

func TestADoctorSaysWhatAUserMayDo(t *testing.T) {
	alone(t)
	t.Setenv("NATS_URL", guarded(t))
	as := func(user string, more ...string) []string {
		return append([]string{"--user", user, "--password", "secret"}, more...)
	}
	if c := examined(t, 0, as("worker")...)["permissions"]; c.State != doctor.OK || !strings.Contains(c.Says, "worker") || strings.Contains(c.Says, "admin") {
		t.Errorf("a worker: %+v", c)
	}
	if c := examined(t, 0, as("ada")...)["permissions"]; c.State != doctor.OK || !strings.Contains(c.Says, "admin") {
		t.Errorf("an administrator: %+v", c)
	}
	if c := examined(t, 0, as("alice", "--caller", "alice")...)["permissions"]; c.State != doctor.OK || !strings.Contains(c.Says, "caller") {
		t.Errorf("a caller: %+v", c)
	}
	if c := examined(t, exitFailed, as("olive", "--timeout", "1s")...)["permissions"]; c.State != doctor.Warn || !strings.Contains(c.Says, "observer") || !strings.Contains(c.Fix, "worker.conf") {
		t.Errorf("an observer: %+v", c)
	}
	if c := examined(t, exitFailed, as("nobody", "--timeout", "1s")...)["permissions"]; c.State != doctor.Fail || !strings.Contains(c.Says, "publish to manta.default.") {
		t.Errorf("nobody: %+v", c)
	}
	wrong := manta(t, "doctor", "--user", "worker", "--password", "wrong")
	if wrong.code != exitFailed || !strings.Contains(wrong.stdout, "--password") {
		t.Errorf("a wrong password: %d, %q", wrong.code, wrong.stdout)
	}
	manta(t, "call", "square", "7", "--user", "worker", "--password", "wrong").fails(exitUnavailable, "manta doctor")
}

func TestAContextOfTheNATSCommandSaysHowToConnect(t *testing.T) {
	alone(t)
	server := guarded(t)
	config := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", config)
	if err := os.MkdirAll(filepath.Join(config, "nats", "context"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"context.txt": "work", "context/work.json": `{"url": "` + server + `", "user": "worker", "password": "secret"}`,
		"context/other.json": `{"url": "` + server + `", "user": "olive", "password": "secret"}`,
	} {
		if err := os.WriteFile(filepath.Join(config, "nats", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if c := examined(t, 0)["connection"]; !strings.Contains(c.Says, "context work") {
		t.Errorf("the selected one: %+v", c)
	}
	if c := examined(t, exitFailed, "--context", "other", "--timeout", "1s")["permissions"]; !strings.Contains(c.Says, "observer") {
		t.Errorf("a named one: %+v", c)
	}
	if c := examined(t, 0, "--user", "ada", "--password", "secret")["permissions"]; !strings.Contains(c.Says, "admin") {
		t.Errorf("with another user: %+v", c)
	}
	manta(t, "list", "nodes", "--context", "third").fails(exitUsage, "other, work")
	t.Setenv("NATS_URL", "nats://127.0.0.1:1")
	manta(t, "list", "nodes").fails(exitUnavailable, "127.0.0.1:1")
}
