//go:build clients

package integration

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// tool returns the path of what .ci/clients has installed: MANTA_CLIENTS says where, or else it is the user's cache.
func tool(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("MANTA_CLIENTS")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatalf("where are the clients? set MANTA_CLIENTS: %v", err)
		}
		dir = filepath.Join(cache, "manta-clients")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: install it with: bash .ci/clients", err)
	}
	return path
}

// serveClients starts a node for clients, with a server of its own, and returns the environment that leads to it.
func serveClients(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command(program(t, "clients"), "-listen", "127.0.0.1:0")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	said := newJournal[string]()
	startChild(t, "clients", cmd, func() { said.record(stdout, func(line []byte) string { return string(line) }) })
	url := said.await(t, "URL", func(said []string) bool { return len(said) > 0 })[0]
	return append(os.Environ(), "NATS_URL="+url)
}

// nodeJS runs a module with nats.js. It runs a copy of it, and of those beside it, where the packages are installed: Node imports only what stands
// there, or above.
func nodeJS(ctx context.Context, t *testing.T, module string) *exec.Cmd {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("%v: install it with: bash .ci/clients", err)
	}
	dir := t.TempDir()
	if err := os.Symlink(tool(t, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	modules, err := filepath.Glob(filepath.Join(filepath.Dir(module), "*.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range modules {
		text, err := os.ReadFile(module)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(module)), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return exec.CommandContext(ctx, node, filepath.Join(dir, filepath.Base(module)))
}

// python runs a module with nats-py, and leaves no compiled code behind.
func python(ctx context.Context, t *testing.T, module string) *exec.Cmd {
	return exec.CommandContext(ctx, tool(t, "python/bin/python"), "-B", module)
}

func TestClientsOfOtherLanguagesFindTheProtocolTrue(t *testing.T) {
	clients := map[string]func(context.Context, *testing.T) *exec.Cmd{
		"nats.js": func(ctx context.Context, t *testing.T) *exec.Cmd { return nodeJS(ctx, t, "clients/js/check.mjs") },
		"nats-py": func(ctx context.Context, t *testing.T) *exec.Cmd { return python(ctx, t, "clients/python/check.py") },
	}
	var mu sync.Mutex
	claims := make(map[string][]string) // that hold, by client
	t.Run("each", func(t *testing.T) {
		for name, client := range clients {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				cmd := client(ctx, t)
				cmd.Env = serveClients(t)
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%v:\n%s", cmp.Or(context.Cause(ctx), err), out)
				}
				mu.Lock()
				defer mu.Unlock()
				for line := range strings.Lines(string(out)) {
					if claim, ok := strings.CutPrefix(line, "ok - "); ok {
						claims[name] = append(claims[name], claim)
					}
				}
			})
		}
	})
	if err := equalClaims(claims); err != nil && !t.Failed() {
		t.Error(err)
	}
}

// equalClaims says what one client claims and another does not.
func equalClaims(claims map[string][]string) error {
	all := slices.Concat(slices.Collect(maps.Values(claims))...)
	if len(all) == 0 {
		return errors.New("nothing was claimed")
	}
	for name, some := range claims {
		for _, claim := range all {
			if !slices.Contains(some, claim) {
				return fmt.Errorf("%s does not claim that %s", name, claim)
			}
		}
	}
	return nil
}
