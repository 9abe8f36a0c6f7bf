package bus_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"manta/bus"
)

func TestWhatCanStandInASubjectIsANameAndNothingElseIs(t *testing.T) {
	tests := []struct {
		name string
		ok   bool
	}{
		{"a", true}, {"Add-two_3", true}, {"0", true},
		{"", false}, {"a.b", false}, {"*", false}, {">", false}, {"a b", false}, {"naïve", false}, {"a\n", false}, {"\xff", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := bus.CheckName("task name", test.name)
			if (err == nil) != test.ok {
				t.Fatalf("got %v", err)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "task name") {
				t.Errorf("the error %q does not say of what", err)
			}
		})
	}
}

func TestASubjectOfANodesTaskIsTakenApartAsItWasMade(t *testing.T) {
	name := rapid.StringMatching(`[A-Za-z0-9_-]{1,20}`)
	rapid.Check(t, func(t *rapid.T) {
		subjects := bus.NewSubjects(name.Draw(t, "namespace"))
		node, function := name.Draw(t, "node"), name.Draw(t, "function")
		subject := subjects.NodeTask(node, function)
		gotNode, gotFunction, ok := subjects.ParseNodeTask(subject)
		if !ok || gotNode != node || gotFunction != function {
			t.Fatalf("%s is taken apart into %q and %q, %v", subject, gotNode, gotFunction, ok)
		}
		if bus.LastToken(subject) != function {
			t.Fatalf("the last token of %s is %q", subject, bus.LastToken(subject))
		}
	})
}

func TestOtherSubjectsAreNoNodesTask(t *testing.T) {
	subjects := bus.NewSubjects("test")
	for _, subject := range []string{
		"", subjects.Task("f"), subjects.Work("f"), subjects.NodeObject("n"), bus.NewSubjects("other").NodeTask("n", "f"),
	} {
		if node, function, ok := subjects.ParseNodeTask(subject); ok {
			t.Errorf("%q is taken apart into %q and %q", subject, node, function)
		}
	}
}

func TestNoTwoNamesOfANamespaceAreTheSame(t *testing.T) {
	s := bus.NewSubjects("test")
	seen := make(map[string]bool)
	for _, name := range []string{
		s.Task("x"), s.Work("x"), s.NodeTask("x", "x"), s.NodeObject("x"), s.NodeGeneration("x"), s.Actor("x", "x"), s.Create("x"), s.Reply("x", "x"),
		s.NodesTable(), s.LeasesTable(), s.ActorsTable(), s.ObjectsBucket(),
		s.Durable("x", "x.x"), s.DurablePrefix(), s.Holders(), s.Freed(), s.Result("x.x"), s.DurableQueue(), s.ResultsTable(),
	} {
		if seen[name] {
			t.Errorf("%s names two things", name)
		}
		seen[name] = true
	}
}

func TestAReplySubjectIsNoneOfTheServersNorOfNodes(t *testing.T) {
	s := bus.NewSubjects("red")
	for reply, want := range map[string]bool{
		"_INBOX.alice.x": true, "_R_.x.y": true, "answers": true, s.Reply("alice", "x") + ".y": true,
		"": false, "$KV.manta_red_nodes.x": false, "$JS.API.INFO": false, s.Task("f"): false, s.Durable("f", "a.b"): false, "manta.blue.reply.x.y": false,
		"$SYS.REQ": false, "manta.red.replyx": false, "manta.": false, "results.of.mine": true, "manta": true,
	} {
		if s.Answerable(reply) != want {
			t.Errorf("%q: want %v", reply, want)
		}
	}
}
