package member

import (
	"strings"

	"manta/bus"
)

// claimPrefix begins what the key of a lease holds when another node has claimed it; the claimant's id follows. The node's own lease
// is empty.
const claimPrefix = "claimed by "

func claimOf(claimant ID) []byte { return []byte(claimPrefix + claimant.String()) }

// claimantOf returns who has claimed a lease; empty if nobody has. What else may stand there, nobody wrote for this version, is
// taken for a claim too: it is not the node's own.
func claimantOf(e bus.Entry) string {
	if e.Gone || len(e.Value) == 0 {
		return ""
	}
	return strings.TrimPrefix(string(e.Value), claimPrefix)
}
