package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// markerFile lies in a data directory beside what JetStream keeps there.
const markerFile = "manta.json"

// marker is what a data directory remembers of its server. JetStream itself would take the streams of a server on its own for
// ones that its cluster does not know, and the other way round, and delete them.
type marker struct {
	Clustered bool   `json:"clustered"`
	Server    string `json:"server,omitempty"` // its name in the cluster, where a new name would be one more server
}

// claimDir makes a directory the data directory of a server, and returns the name under which the cluster knows it. A
// directory that holds streams of the other kind of server is refused.
func claimDir(dir string, want marker) (name string, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil { // the server would not say which directory it is
		return "", fmt.Errorf("Config.Dir: %w", err)
	}
	found, err := readMarker(dir)
	if err != nil {
		return "", fmt.Errorf("Config.Dir: %w", err)
	}
	_, err = os.Stat(filepath.Join(dir, "jetstream"))
	switch used := err == nil; {
	case used && want.Clustered && !found.Clustered:
		return "", fmt.Errorf("Config.Dir is %s, the data of a server on its own, whose streams a cluster would remove: leave "+
			"Config.ClusterListen empty, or give the server of the cluster another directory", dir)
	case used && !want.Clustered && found.Clustered:
		return "", fmt.Errorf("Config.Dir is %s, the data of one server of a cluster, whose streams a server on its own would "+
			"remove: set Config.ClusterListen and Config.Routes, or take another directory", dir)
	case found.Clustered && want.Clustered && found.Server != "":
		want.Server = found.Server
	}
	if err := writeMarker(dir, want); err != nil {
		return "", fmt.Errorf("Config.Dir: %w", err)
	}
	return want.Server, nil
}

// readMarker returns the zero marker, that of a server on its own, for a directory without one.
func readMarker(dir string) (m marker, err error) {
	path := filepath.Join(dir, markerFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return marker{}, nil
	}
	if err != nil {
		return marker{}, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return marker{}, fmt.Errorf("%s is malformed: %w", path, err)
	}
	return m, nil
}

// writeMarker never leaves half of one behind.
func writeMarker(dir string, m marker) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, markerFile)
	if err := os.WriteFile(path+".tmp", append(text, '\n'), 0o640); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
