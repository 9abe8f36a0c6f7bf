package bus

import "bytes"

// Extensions returns what a MessagePack value holds of extensions of a kind with 16 bytes each, at any depth, as views.
func Extensions(value Value, kind byte) (found [][]byte) {
	const fixext16, size = 0xd8, 16
	if value.Format != Msgpack || !bytes.Contains(value.Data, []byte{fixext16, kind}) { // the common case; else it may be inside a string
		return nil
	}
	for data := value.Data; len(data) > 0; {
		n, _, err := scanItem(data)
		if err != nil || n > len(data) {
			return found // malformed: whoever decodes it says so
		}
		if data[0] == fixext16 && data[1] == kind {
			found = append(found, data[2:2+size])
		}
		data = data[n:]
	}
	return found
}
