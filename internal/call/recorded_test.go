package call_test

import (
	"testing"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/internal/recorded"
	"manta/objstore"
)

func TestRecordedRequestsAndRepliesAreReadAsTheyWereMeant(t *testing.T) {
	recorded.Play(t, bus.FrameVersion, "request", call.Request{Owner: member.ID{1}, Need: member.Amounts{"CPU": 10_000}, Entry: call.Entry{
		Number: 2, Attempt: 3, Deadline: 1e18, Args: wire(call.WireArg{Value: bus.Value{Format: bus.Text, Data: []byte("x")}}, call.WireArg{Object: objstore.ID{2}}),
	}}, func(q call.Request) []byte { return q.AppendTo(nil) }, call.ReadRequest)
	recorded.Play(t, bus.FrameVersion, "reply", call.Reply{Host: member.ID{1}, Number: 2, Attempt: 3, Status: call.Done, Outcome: objstore.Outcome{Value: bus.Value{Format: bus.Float64s, Data: make([]byte, 16)}}},
		func(p call.Reply) []byte { return p.AppendTo(nil) }, call.ReadReply)
}
