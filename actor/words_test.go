package actor

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"manta/bus"
	"manta/internal/call"
	"manta/internal/member"
	"manta/objstore"
)

// FuzzWords reads what else comes off the wire or out of the bucket of actors: cancellations, inquiries, requests for actors, records, states.
func FuzzWords(f *testing.F) {
	key := visitorKey{sender{member.ID{1}, 2}, 3}
	asks := inquiry{attempt: attempt{objstore.ID{1}, 2}, id: "visits"}
	made, err := bus.Encode(life{Detached: true})
	if err != nil {
		f.Fatal(err)
	}
	q := call.Request{Owner: member.ID{1}, Entry: call.Entry{Number: 2, Attempt: 1, Args: call.WireArgs{}.
		AppendArg(text("start")).AppendArg(text("visits")).AppendArg(text("manta.default.reply.x")).AppendArg(call.WireArg{Value: made})}}
	record, err := json.Marshal(record{Class: "c", State: recordAlive, Node: member.ID{1}, Epoch: 7, lifespan: lifespan{Limit: 3}})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{
		appendCancel(nil, key.sender, key.lane, 4), asks.append(nil), q.AppendTo(nil), record, []byte(`{"class":"c","$actor":"a","birth":"x"}`),
		objstore.Outcome{Value: bus.Value{Format: bus.Bytes, Data: []byte("state")}}.AppendTo(make([]byte, 16)),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if key, place, err := readCancel(data); err == nil {
			again, at, err := readCancel(appendCancel(nil, key.sender, key.lane, place))
			if err != nil || again != key || at != place {
				t.Fatalf("%+v %d was read back as %+v %d, %v", key, place, again, at, err)
			}
		}
		if q, err := readInquiry(data); err == nil {
			if again, err := readInquiry(q.append(nil)); err != nil || again != q {
				t.Fatalf("%+v was read back as %+v, %v", q, again, err)
			}
		}
		if q, err := call.ReadRequest(data); err == nil {
			var ask asked
			if ask.read(q) == nil && bus.CheckName("", ask.id) != nil {
				t.Fatalf("an actor called %q", ask.id)
			}
			if again, err := remade(data, life{Revision: 1}); err == nil {
				if q, err := call.ReadRequest(again); err != nil {
					t.Fatalf("%+v: %v", q, err)
				}
			}
		}
		if rec, err := readRecord("a", data); err == nil {
			again, err := json.Marshal(rec)
			if err != nil {
				t.Fatal(err)
			}
			if other, err := readRecord("a", again); err != nil || !reflect.DeepEqual(other, rec) {
				t.Fatalf("%+v was read back as %+v, %v", rec, other, err)
			}
		}
		if _, _, err := readState(data); err != nil && errors.Is(err, bus.ErrClosed) {
			t.Fatal(err)
		}
	})
}
