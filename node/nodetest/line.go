package nodetest

import "bytes"

// controlLine is what a line of the NATS protocol says of what follows it.
type controlLine struct {
	kind     lineKind
	size     int  // of a message's headers and payload, in bytes
	headers  int  // of its headers
	reserved bool // the subject or the reply is JetStream's or the server's own
}

type lineKind int

const (
	noLine      lineKind = iota // not a line that clients and servers exchange
	otherLine                   // one that nothing follows
	messageLine                 // a message follows
)

// maxSize is more than any server takes as a message, and fits an int anywhere.
const maxSize = 1 << 30

// messageOps are the operations with a message: how many fields each has behind its name without a reply, and what stands where.
var messageOps = []struct {
	name    []byte
	fields  int
	reply   int // the index of the reply, in a line that has one more field
	headers bool
}{
	{name: []byte("PUB"), fields: 2, reply: 1},
	{name: []byte("MSG"), fields: 3, reply: 2},
	{name: []byte("HPUB"), fields: 3, reply: 1, headers: true},
	{name: []byte("HMSG"), fields: 4, reply: 2, headers: true},
}

var otherOps = [][]byte{
	[]byte("PING"), []byte("PONG"), []byte("+OK"), []byte("SUB"), []byte("UNSUB"), []byte("INFO"), []byte("CONNECT"), []byte("-ERR"),
}

// parseLine reads a line with its end.
func parseLine(line []byte) controlLine {
	var fields [7][]byte // one more than a line of a message has
	n := 0
	for start, i := 0, 0; i < len(line) && n < len(fields); i++ {
		if !isSpace(line[i]) {
			continue
		}
		if start < i {
			fields[n] = line[start:i]
			n++
		}
		start = i + 1
	}
	op, args := fields[0], fields[1:max(n, 1)]
	for _, known := range messageOps {
		if bytes.EqualFold(op, known.name) {
			return parseMessageLine(args, known.fields, known.reply, known.headers)
		}
	}
	for _, known := range otherOps {
		if bytes.EqualFold(op, known) {
			return controlLine{kind: otherLine}
		}
	}
	return controlLine{}
}

func parseMessageLine(args [][]byte, fields, reply int, headers bool) (line controlLine) {
	if len(args) != fields && len(args) != fields+1 {
		return controlLine{}
	}
	var ok bool
	if line.size, ok = parseSize(args[len(args)-1]); !ok {
		return controlLine{}
	}
	if headers {
		if line.headers, ok = parseSize(args[len(args)-2]); !ok || line.headers > line.size {
			return controlLine{}
		}
	}
	line.kind = messageLine
	line.reserved = args[0][0] == '$' || len(args) > fields && bytes.HasPrefix(args[reply], []byte("$JS."))
	return line
}

func parseSize(digits []byte) (size int, ok bool) {
	for _, digit := range digits {
		if digit < '0' || digit > '9' || size > maxSize/10 {
			return 0, false
		}
		size = size*10 + int(digit-'0')
	}
	return size, len(digits) > 0
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }
