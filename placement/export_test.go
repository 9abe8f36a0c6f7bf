package placement

import (
	"manta/internal/member"
	"manta/objstore"
)

// ReserveForAMoment is what a creator sends to a node, before it sends the commit.
func ReserveForAMoment(g Group, cpus int64) []byte {
	o := order{kind: reserveFrame, group: g.id, attempt: 1, bundles: map[int]member.Amounts{0: {member.CPU: cpus * 10_000}}}
	return o.append(nil)
}

// Followed says whether a node's answer is yes.
func Followed(data []byte) bool {
	a, err := readAnswer(data)
	return err == nil && a.done
}

// GroupOf makes the handle of a group that nobody has made.
func GroupOf(creator string) Group {
	id, err := member.ParseID(creator)
	if err != nil {
		panic(err)
	}
	return Group{objstore.NewID(id, 1<<40)}
}
