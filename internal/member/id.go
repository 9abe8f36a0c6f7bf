package member

import (
	"bytes"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"strings"

	"manta/bus"
)

// ID names a node. IDs are random and never used twice.
type ID [8]byte

// NewID returns a fresh ID.
func NewID() (id ID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// IDText is how identifiers are written: base 32, lower-case, without padding, so that they can stand in subjects.
var IDText = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// String returns the 13 characters that stand in subjects.
func (id ID) String() string { return IDText.EncodeToString(id[:]) }

// ParseID reads what String wrote.
func ParseID(s string) (id ID, err error) {
	lower := strings.ToLower(s)
	b, err := IDText.DecodeString(lower)
	if err != nil || len(b) != len(id) || IDText.EncodeToString(b) != lower { // its last bits mean nothing, and one id has one text
		return id, fmt.Errorf("%q is no node id: want 13 characters of base 32", bus.Clip(s, 64))
	}
	return ID(b), nil
}

func (id ID) compare(other ID) int { return bytes.Compare(id[:], other[:]) }
