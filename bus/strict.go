package bus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxDepthJSON is how deep JSON may nest: as deep as package encoding/json reads it.
const maxDepthJSON = 10_000

var errNoUTF8 = errors.New("it is not UTF-8")

// CheckStrict returns an error for a value of a stranger, JSON or MessagePack, that different readers would take for different ones: JSON that is
// not UTF-8, and a map with a key that comes twice. What is malformed otherwise, decoding finds.
func CheckStrict(v Value) error {
	if v.Format == JSON {
		if !utf8.Valid(v.Data) {
			return errNoUTF8
		}
		return checkJSON(v.Data)
	}
	if scanMsgpack(v.Data) != nil {
		return nil
	}
	return checkKeys(v.Data)
}

// open is an array or a map that has begun and not ended.
type open struct {
	left int                 // items to come, of MessagePack
	keys map[string]struct{} // of a map; nil for an array
	key  bool                // the next item is one
}

func (o *open) see(key string) error {
	if _, twice := o.keys[key]; twice {
		return fmt.Errorf("the key %q comes twice", Clip(key, 64))
	}
	o.keys[key] = struct{}{}
	return nil
}

func checkJSON(data []byte) error {
	if bytes.IndexByte(data, '{') < 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var above []open
	for {
		token, err := d.Token()
		if err != nil { // the end, or malformed
			return nil
		}
		n := len(above)
		if name, ok := token.(string); ok && n > 0 && above[n-1].key {
			if err := above[n-1].see(name); err != nil {
				return err
			}
			above[n-1].key = false
			continue
		}
		switch token {
		case json.Delim('}'), json.Delim(']'):
			above = above[:n-1]
			continue
		}
		if n > 0 {
			above[n-1].key = above[n-1].keys != nil
		}
		switch token {
		case json.Delim('{'):
			above = append(above, open{keys: make(map[string]struct{}), key: true})
		case json.Delim('['):
			above = append(above, open{})
		}
		if len(above) > maxDepthJSON {
			return fmt.Errorf("it nests deeper than %d levels", maxDepthJSON)
		}
	}
}

// checkKeys looks through what scanMsgpack has passed.
func checkKeys(data []byte) error {
	var above []open
	for len(data) > 0 {
		for n := len(above); n > 0 && above[n-1].left == 0; n = len(above) {
			above = above[:n-1]
		}
		size, items, _ := scanItem(data)
		if n := len(above); n > 0 {
			o := &above[n-1]
			o.left--
			if o.keys != nil {
				if o.key = !o.key; !o.key && items == 0 {
					if err := o.see(string(data[:size])); err != nil {
						return err
					}
				}
			}
		}
		if form := msgpackForms[data[0]]; items > 0 {
			o := open{left: items}
			if form.kind == "map" {
				o.keys, o.key = make(map[string]struct{}), true
			}
			above = append(above, o)
		}
		data = data[size:]
	}
	return nil
}
