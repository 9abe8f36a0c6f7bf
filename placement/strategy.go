package placement

import "fmt"

// Strategy says on which nodes the bundles of a group may be.
type Strategy byte

const (
	// Pack puts the bundles on as few nodes as it can.
	Pack Strategy = iota
	// Spread puts the bundles on as many nodes as it can.
	Spread
	// StrictPack puts all bundles on one node, or none anywhere.
	StrictPack
	// StrictSpread puts every bundle on a node of its own, or none anywhere.
	StrictSpread
)

// String returns for example "STRICT_PACK".
func (s Strategy) String() string {
	if !s.valid() {
		return fmt.Sprintf("Strategy(%d)", byte(s))
	}
	return [...]string{"PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"}[s]
}

func (s Strategy) valid() bool { return s <= StrictSpread }
