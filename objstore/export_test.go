package objstore

import "manta/bus"

// ReadChunkQuestion reads what another node asks, and writes it again.
func ReadChunkQuestion(data []byte) ([]byte, error) {
	q, err := readChunkQuestion(data)
	return q.append(nil), err
}

// ReadRefusal reads what another node answers.
func ReadRefusal(data []byte) error { return readRefusal(&bus.Msg{Data: data}) }
