//go:build amd64 || arm64

package node_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"manta/node"
	"manta/node/embedded"
)

func TestASharedDirThatIsNotThereIsAnErrorThatNamesIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "nowhere")
	n, ctx, err := embedded.Start(t.Context(), embedded.Config{Config: node.Config{SharedDir: dir}})
	if err == nil || n != nil || ctx != nil || !strings.Contains(err.Error(), "Config.SharedDir") || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, %v, %v, want an error that names the field and the directory", n, ctx, err)
	}
}

func TestANodeLeavesNothingInItsSharedDir(t *testing.T) {
	dir := t.TempDir()
	n, _, err := embedded.Start(t.Context(), embedded.Config{Config: node.Config{SharedDir: dir}})
	if err != nil {
		t.Fatal(err)
	}
	sockets := func() int {
		t.Helper()
		places, err := os.ReadDir(dir)
		if err != nil || len(places) != 1 {
			t.Fatalf("the directory holds %v, %v", places, err)
		}
		names, err := os.ReadDir(filepath.Join(dir, places[0].Name()))
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	if got := sockets(); got != 1 {
		t.Errorf("a node has %d sockets", got)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if got := sockets(); got != 0 {
		t.Errorf("a node that was closed has left %d sockets", got)
	}
}
