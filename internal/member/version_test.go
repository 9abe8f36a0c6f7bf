package member_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.uber.org/zap"

	"manta/bus"
	"manta/internal/member"
)

func TestANodeThatSpeaksAnotherVersionIsLeftAloneAndNotJoined(t *testing.T) {
	srv := runServer(t)
	a := openPlace(t, srv)
	serve(t, a.join(t))
	records, err := a.conn.OpenTable(t.Context(), a.conn.NodesTable())
	if err != nil {
		t.Fatal(err)
	}
	leases, err := a.conn.OpenTable(t.Context(), a.conn.LeasesTable())
	if err != nil {
		t.Fatal(err)
	}
	other, newer := member.NewID(), member.NewID()
	for id, record := range map[member.ID]string{
		other: `{"Name":"other","Version":"9.9","Frames":7}`, newer: `{"Name":"newer","Frames":1,"Colour":{"of":["a","later"]}}`,
	} {
		if _, err := leases.Put(t.Context(), id.String(), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := records.Put(t.Context(), id.String(), []byte(record)); err != nil {
			t.Fatal(err)
		}
	}
	a.awaitNodes(t, a.id, newer) // fields that it does not know are passed over
	if a.table.Alive(other) {
		t.Error("a node of another version is there")
	}
	b := place{id: member.NewID(), conn: a.conn}
	_, err = member.OpenTable(context.WithoutCancel(t.Context()), b.conn, b.id, 0, zap.NewNop())
	if !errors.Is(err, bus.ErrVersion) || !strings.Contains(err.Error(), "version 7, this process speaks version 1") || !strings.Contains(err.Error(), other.String()) {
		t.Errorf("a node that joins: %v", err)
	}
}
