package objstore

import (
	"encoding/binary"
	"fmt"
	"strings"

	"manta/bus"
	"manta/internal/member"
)

// ID names an object: its owner's node and a number that the owner gave it.
type ID [16]byte

// NewID names an object of an owner; for packages that make objects.
func NewID(owner member.ID, n uint64) (id ID) {
	copy(id[:8], owner[:])
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

// Owner is the node that owns the object.
func (id ID) Owner() member.ID { return member.ID(id[:8]) }

// Number is what the owner calls the object by; unique among what this owner ever owned.
func (id ID) Number() uint64 { return binary.BigEndian.Uint64(id[8:]) }

// String returns 26 characters of base 32.
func (id ID) String() string { return member.IDText.EncodeToString(id[:]) }

// MarshalText makes an ID travel as its text.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *ID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseID(string(text))
	return err
}

// ParseID reads what String wrote.
func ParseID(s string) (id ID, err error) {
	lower := strings.ToLower(s)
	b, err := member.IDText.DecodeString(lower)
	if err != nil || len(b) != len(id) || member.IDText.EncodeToString(b) != lower { // as of member.ParseID
		return id, fmt.Errorf("%q is no object id: want 26 characters of base 32", bus.Clip(s, 64))
	}
	return ID(b), nil
}
