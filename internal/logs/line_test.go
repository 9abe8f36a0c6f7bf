package logs

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// log has a logger of some work log, and returns what waits to be sent, and what its node's own log has.
func log(t *testing.T, level zapcore.LevelEnabler, w Work, use func(*zap.Logger)) (sent []Line, own []observer.LoggedEntry) {
	t.Helper()
	s := &Sender{config: Config{Node: "n1", Name: "one"}, woken: make(chan struct{}, 1)}
	core, entries := observer.New(level)
	use(s.Logger(zap.New(core), w))
	for l, err := range lines(s.take()) {
		if err != nil {
			t.Fatal(err)
		}
		sent = append(sent, l)
	}
	return sent, entries.All()
}

func TestALineSaysWhoLoggedIt(t *testing.T) {
	task := Work{Owner: "o", Task: "f", ID: "i", Attempt: 2}
	before := time.Now()
	sent, own := log(t, zap.InfoLevel, task, func(l *zap.Logger) {
		l.With(zap.Int("shard", 3)).Warn("slow", zap.Duration("after", time.Second), zap.Error(errors.New("late")), zap.Float64("odd", math.NaN()))
	})
	if len(sent) != 1 || len(own) != 1 {
		t.Fatalf("%v was sent, %v is in the node's log", sent, own)
	}
	l := sent[0]
	if l.work() != task || l.Node != "n1" || l.NodeName != "one" || l.Level != "warn" || l.Message != "slow" || l.Time.Before(before) {
		t.Errorf("got %+v", l)
	}
	if l.Fields["shard"] != 3.0 || l.Fields["after"] != "1s" || l.Fields["error"] != "late" || l.Fields["odd"] != "NaN" || len(l.Fields) != 4 {
		t.Errorf("its fields are %v", l.Fields)
	}
	if fields := own[0].ContextMap(); fields["task"] != "f" || fields["id"] != "i" || fields["attempt"] != int64(2) || fields["shard"] != int64(3) || fields["owner"] != nil {
		t.Errorf("the node's log has %v", fields)
	}
	actor := Work{Class: "c", Actor: "a", Method: "M", ID: "i", Attempt: 1, Owner: "o"}
	if sent, _ = log(t, zap.InfoLevel, actor, func(l *zap.Logger) { l.Info("") }); sent[0].work() != actor {
		t.Errorf("got %+v", sent[0])
	}
}

func TestWhichLinesAreSentIsTheLevelsToSay(t *testing.T) {
	for _, test := range []struct {
		name      string
		level     zapcore.Level // of the node's log
		sent, own int
	}{
		{"a log of all", zap.DebugLevel, 3, 3},
		{"a log of errors", zap.ErrorLevel, 2, 1},
	} {
		sent, own := log(t, test.level, Work{Task: "f"}, func(l *zap.Logger) {
			l.Debug("")
			l.Info("")
			l.Error("")
		})
		if len(sent) != test.sent || len(own) != test.own {
			t.Errorf("%s: %d lines were sent, %d are in the node's log", test.name, len(sent), len(own))
		}
	}
}

func TestALineThatIsTooLongIsSentWithoutItsFields(t *testing.T) {
	long := strings.Repeat("x", 2*maxLine)
	for name, use := range map[string]func(*zap.Logger){
		"a message": func(l *zap.Logger) { l.Info(long) },
		"a field":   func(l *zap.Logger) { l.Info("short", zap.String("long", long)) },
		"a context": func(l *zap.Logger) { l.With(zap.String("long", long)).Info("short") },
	} {
		sent, _ := log(t, zap.InfoLevel, Work{Task: "f"}, use)
		if len(sent) != 1 || sent[0].Task != "f" || sent[0].Message == "" || len(sent[0].Message) > maxMessage+10 {
			t.Fatalf("%s: got %+v", name, sent)
		}
		if cut, ok := sent[0].Fields["cut_bytes"].(float64); !ok || cut < 2*maxLine || len(sent[0].Fields) != 1 {
			t.Errorf("%s: its fields are %v", name, sent[0].Fields)
		}
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte(`{"time":"2026-01-02T15:04:05Z","level":"info","node":"n","message":"x","fields":{"a":1}}` + "\n" + `{"message":1}`))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r repeats
		n := 0
		for l, err := range lines(data) {
			if err == nil {
				r.add(&l, l.Time)
				n++
			}
		}
		if n > len(data) {
			t.Errorf("%d lines in %d bytes", n, len(data))
		}
	})
}
