package bus

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// maxDepth is how deep values may nest: decoding takes about 500 bytes of stack a level, and a stack that overflows ends
// the process.
const maxDepth = 100_000

var (
	errTooDeep  = fmt.Errorf("it nests deeper than %d levels", maxDepth)
	errCutShort = errors.New("malformed MessagePack: cut short")
)

// scanMsgpack passes over one MessagePack value and returns an error unless data is that and nothing more. Package
// msgpack allocates what a length says before it looks whether so much follows: five bytes can ask it for 64 GiB. In
// what was scanned all lengths together are no more than the bytes.
func scanMsgpack(data []byte) error {
	var above []int // for each open array and map, the items to come after the one at hand
	for left := 1; ; {
		for left == 0 && len(above) > 0 {
			left, above = above[len(above)-1], above[:len(above)-1]
		}
		if left == 0 {
			break
		}
		size, items, err := scanItem(data)
		if err != nil {
			return err
		}
		if size > len(data) || items > len(data)-size {
			return errCutShort
		}
		data = data[size:]
		left--
		if items > 0 {
			if above = append(above, left); len(above) > maxDepth {
				return errTooDeep
			}
			left = items
		}
	}
	if len(data) > 0 {
		return fmt.Errorf("malformed MessagePack: %d bytes follow the value", len(data))
	}
	return nil
}

// scanItem returns how many bytes the item at the start of data has, and how many items an array or map has inside, which
// follow it.
func scanItem(data []byte) (size, items int, err error) {
	if len(data) == 0 {
		return 0, 0, errCutShort
	}
	form := msgpackForms[data[0]]
	if form.kind == "" {
		return 0, 0, fmt.Errorf("malformed MessagePack: no item starts with 0x%02x", data[0])
	}
	if len(data) < 1+form.length {
		return 0, 0, errCutShort
	}
	n := form.fixed
	switch field := data[1 : 1+form.length]; form.length {
	case 1:
		n += int(field[0])
	case 2:
		n += int(binary.BigEndian.Uint16(field))
	case 4:
		n += int(binary.BigEndian.Uint32(field))
	}
	if form.items > 0 {
		return 1 + form.length, n * form.items, nil
	}
	return 1 + form.length + n, 0, nil
}

// msgpackForm is what an item's first byte says.
type msgpackForm struct {
	kind   string
	fixed  int // bytes or items that follow in any case
	length int // bytes of a length field, whose value adds to fixed
	items  int // if it counts items and not bytes: how many one is
}

var msgpackForms = func() (forms [256]msgpackForm) {
	span := func(first, last int, form func(n int) msgpackForm) {
		for c := first; c <= last; c++ {
			forms[c] = form(c - first)
		}
	}
	integer := func(int) msgpackForm { return msgpackForm{kind: "integer"} }
	span(0x00, 0x7f, integer)
	span(0xe0, 0xff, integer)
	span(0x80, 0x8f, func(n int) msgpackForm { return msgpackForm{kind: "map", fixed: n, items: 2} })
	span(0x90, 0x9f, func(n int) msgpackForm { return msgpackForm{kind: "array", fixed: n, items: 1} })
	span(0xa0, 0xbf, func(n int) msgpackForm { return msgpackForm{kind: "string", fixed: n} })
	span(0xc4, 0xc6, func(n int) msgpackForm { return msgpackForm{kind: "binary", length: 1 << n} })
	span(0xc7, 0xc9, func(n int) msgpackForm { return msgpackForm{kind: "extension", fixed: 1, length: 1 << n} })
	span(0xca, 0xcb, func(n int) msgpackForm { return msgpackForm{kind: "float", fixed: 4 << n} })
	span(0xcc, 0xcf, func(n int) msgpackForm { return msgpackForm{kind: "integer", fixed: 1 << n} })
	span(0xd0, 0xd3, func(n int) msgpackForm { return msgpackForm{kind: "integer", fixed: 1 << n} })
	span(0xd4, 0xd8, func(n int) msgpackForm { return msgpackForm{kind: "extension", fixed: 1 + 1<<n} })
	span(0xd9, 0xdb, func(n int) msgpackForm { return msgpackForm{kind: "string", length: 1 << n} })
	span(0xdc, 0xdd, func(n int) msgpackForm { return msgpackForm{kind: "array", length: 2 << n, items: 1} })
	span(0xde, 0xdf, func(n int) msgpackForm { return msgpackForm{kind: "map", length: 2 << n, items: 2} })
	forms[0xc0] = msgpackForm{kind: "nil"}
	forms[0xc2], forms[0xc3] = msgpackForm{kind: "bool"}, msgpackForm{kind: "bool"}
	return forms
}()
