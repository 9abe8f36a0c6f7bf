package task

import (
	"fmt"
	"hash/fnv"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
)

// A host learns from the first frame of a lane what function and need it has, and takes that for good. So that a frame whose lane, function or need is
// not what its owner wrote does not become another lane, behind each need stands a mark of all three.

// markedNeed is a lane's need with its mark, as it travels.
func markedNeed(need member.Amounts, function string, lane uint64) []byte {
	b := call.AppendNeed(nil, need)
	return bus.AppendUint(b, markOf(b, function, lane))
}

// readMarked reads what markedNeed wrote. A need without a mark is taken as it is: not every version writes one.
func readMarked(data []byte, function string, lane uint64) (member.Amounts, error) {
	r := bus.ReadFields(data)
	need := call.ReadNeed(&r)
	if bare := data[:len(data)-r.Left()]; r.Err() == nil && r.Left() > 0 && r.Uint() != markOf(bare, function, lane) {
		r.Fail(fmt.Sprintf("lane %d is not one of task %q with that need", lane, function))
	}
	return need, r.Err()
}

// markOf is 16 bits, which take three bytes.
func markOf(need []byte, function string, lane uint64) uint64 {
	h := fnv.New32a()
	h.Write(bus.AppendUint(bus.AppendString(nil, function), lane)) // it never fails
	h.Write(need)
	sum := h.Sum32()
	return uint64(sum>>16 ^ sum&0xffff)
}
