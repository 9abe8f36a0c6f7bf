package logs

// pile is the lines that wait to be sent, in messages, and how many found no room. It is bounded.
type pile struct {
	batches [][]byte
	bytes   int
	left    map[string]int64 // by the owner of what logged them
}

// add puts a line onto the pile, or counts it if there is no room. Once one was left out, so are those behind it, until what waits was taken: so
// what is said about them stands where they are missing.
func (p *pile) add(line []byte, owner string) {
	if p.bytes+len(line) > roomBytes && p.left == nil {
		p.left = make(map[string]int64)
	}
	if p.refuse(owner) {
		return
	}
	p.bytes += len(line)
	last := len(p.batches) - 1
	if last < 0 || len(p.batches[last])+len(line) > batchBytes {
		p.batches = append(p.batches, nil)
		last++
	}
	p.batches[last] = append(p.batches[last], line...)
}

// refuse counts a line if none is taken.
func (p *pile) refuse(owner string) bool {
	if p.left == nil {
		return false
	}
	p.left[owner]++
	return true
}

// take takes the first message, nil if there is none, and behind the last one what was left out.
func (p *pile) take() (batch []byte, left map[string]int64) {
	if len(p.batches) > 0 {
		batch = p.batches[0]
		p.batches[0], p.batches = nil, p.batches[1:]
		p.bytes -= len(batch)
	}
	if len(p.batches) == 0 {
		left, p.left, p.batches = p.left, nil, nil
	}
	return batch, left
}

// putBack puts a message back that was not sent.
func (p *pile) putBack(batch []byte) {
	p.batches = append([][]byte{batch}, p.batches...)
	p.bytes += len(batch)
}
