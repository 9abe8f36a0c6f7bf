package objstore

import (
	"slices"

	"manta/internal/member"
)

// holders is the nodes that have handles of an object, as its owner knows them: a set, so that what is said twice counts once. Each
// node numbers all changes of what it holds; a word about an object that is older than the last one that was heard says nothing more,
// and so the order in which words arrive does not matter. Pure.
//
//	        holds, version v             dropped, version w > v
//	(none) ─────────────────► holder ───────────────────────────► former
//	   ▲                       │  ▲                                │
//	   └──── the node left ────┘  └──── holds, version x > w ──────┘
//
// A former holder is remembered as long as the object: a late word of then must not make it a holder again.
type holders []holder

type holder struct {
	node    member.ID
	version uint64 // of its last word
	former  bool
}

// note takes in a node's word.
func (h *holders) note(node member.ID, version uint64, holds bool) {
	for i := range *h {
		if k := &(*h)[i]; k.node == node {
			if version > k.version {
				k.version, k.former = version, !holds
			}
			return
		}
	}
	*h = append(*h, holder{node: node, version: version, former: !holds})
}

// left notes that a node is gone: it holds nothing.
func (h *holders) left(node member.ID) {
	*h = slices.DeleteFunc(*h, func(k holder) bool { return k.node == node })
}

// some says whether a node holds the object.
func (h holders) some() bool {
	return slices.ContainsFunc(h, func(k holder) bool { return !k.former })
}

// nodes are those that hold the object.
func (h holders) nodes() (all []member.ID) {
	for _, k := range h {
		if !k.former {
			all = append(all, k.node)
		}
	}
	return all
}
