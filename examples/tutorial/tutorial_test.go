package main

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestTheQuickTutorialHoldsItsClaims(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs for several seconds")
	}
	folder := t.TempDir()
	var out bytes.Buffer
	err := run(t.Context(), config{quick: true, out: folder}, &out)
	said := out.String()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}

	for _, claim := range []string{
		"CPUs: 4",
		"NATS: in process",
		"(10+1)×2 + (20+1) = 43",
		"Loaded 1 time, served 3",
		"Most at once: 3",
		"Uploads: 1 (8 MB)",
		"Means: all equal, 0",
		"Wait: 10 jobs",
		"Ready: 10 jobs",
		"Worker 0 did 4 items",
		"Worker 1 did 4 items",
		"Worker 2 did 4 items",
		"20 batches gave the count of the loop",
		"Average speed-up",
		filepath.Join(folder, "convergence.png"),
		"nothing is left running",
	} {
		if !strings.Contains(said, claim) {
			t.Errorf("it does not say %q", claim)
		}
	}
	if strings.Contains(said, "\x1b") {
		t.Error("it writes escape codes to what is no terminal")
	}
	if t.Failed() {
		t.Log(said)
	}
	checkPicture(t, filepath.Join(folder, "convergence.png"))
}

func TestTheFigureIsAlsoASVG(t *testing.T) {
	path := filepath.Join(t.TempDir(), "figure.svg")
	runs := []estimate{inTurn(1000), inTurn(10_000), inTurn(100_000)}
	if err := saveFigure(path, runs); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, title := range []string{"Convergence to π", "Absolute error", "Execution time", "Throughput"} {
		if !bytes.Contains(text, []byte(title)) {
			t.Errorf("the figure has no panel %q", title)
		}
	}
}

func checkPicture(t *testing.T, path string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	picture, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	if size := picture.Bounds().Size(); size.X < 1000 || size.Y < 800 {
		t.Errorf("the picture is only %v large", size)
	}
}
