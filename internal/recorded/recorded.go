package recorded

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var record = flag.Bool("record", false, "write the recordings that are missing")

// lineBytes is how many bytes stand in a line of a file.
const lineBytes = 32

// Play reads what a build of a version wrote of want, and holds that this one reads it as that, and writes that as it.
func Play[T any](t *testing.T, version int, name string, want T, write func(T) []byte, read func([]byte) (T, error)) {
	t.Helper()
	written := write(want)
	data := load(t, version, name, written)
	got, err := read(data)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s of version %d is read as %+v, %v; it was %+v", name, version, got, err, want)
	}
	if !bytes.Equal(written, data) {
		t.Errorf("%s of version %d is written as\n%x, it was\n%x", name, version, written, data)
	}
}

// load returns a recording; one that is missing is made of what is written now, if that is wanted.
func load(t *testing.T, version int, name string, written []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", fmt.Sprintf("v%d", version), name+".hex")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && *record {
		text = lines(written)
		err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, 0o644))
	}
	if err != nil {
		t.Fatalf("%v: record it with go test -record", err)
	}
	data, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return data
}

func lines(data []byte) (text []byte) {
	for len(data) > 0 {
		n := min(lineBytes, len(data))
		text = append(hex.AppendEncode(text, data[:n]), '\n')
		data = data[n:]
	}
	return text
}
