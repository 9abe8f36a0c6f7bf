package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"manta/node"
)

func TestColoursAreForTerminalsWhoseUserWantsThem(t *testing.T) {
	for _, c := range []struct {
		terminal bool
		env      map[string]string
		want     bool
	}{
		{true, nil, true},
		{false, nil, false},
		{true, map[string]string{"NO_COLOR": "1"}, false},
		{true, map[string]string{"NO_COLOR": ""}, true},
		{true, map[string]string{"TERM": "dumb"}, false},
		{true, map[string]string{"TERM": "xterm"}, true},
	} {
		if got := paint(c.terminal, func(name string) string { return c.env[name] }); got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
	if got := colour(&bytes.Buffer{}, red, "x"); got != "x" {
		t.Errorf("in a buffer: %q", got)
	}
}

func TestYAMLIsTheJSONInItsOrder(t *testing.T) {
	for text, want := range map[string]string{
		`{"b":1,"a":[1.50,"x",null,true,{}],"c":{"d":[]}}`: "b: 1\na:\n  - 1.50\n  - x\n  - null\n  - true\n  - {}\nc:\n  d: []\n",
		`"a\nb"`:           "|-\n  a\n  b\n",
		`"123"`:            "\"123\"\n",
		`9007199254740993`: "9007199254740993\n",
		`"\ud83d\ude00"`:   "\"\\U0001F600\"\n",
		`1e3`:              "1e3\n",
	} {
		var out bytes.Buffer
		if err := (&output{asYAML}).raw(&out, json.RawMessage(text)); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var back, was any
		_ = json.Unmarshal([]byte(text), &was)
		if err := yaml.Unmarshal(out.Bytes(), &back); err != nil {
			t.Errorf("%s became %q: %v", text, &out, err)
		}
		if want != "" && out.String() != want && !strings.Contains(text, "ud83d") {
			t.Errorf("%s became %q, want %q", text, &out, want)
		}
	}
}

func TestFormatsWriteListsAsTheirReadersWantThem(t *testing.T) {
	type thing struct {
		Name string `json:"name"`
	}
	render := func(things []thing) sheet {
		s := sheet{header: []string{"name", "n"}, right: []string{"n"}}
		for _, one := range things {
			s.rows = append(s.rows, []string{one.Name, "1"})
		}
		return s
	}
	for format, want := range map[string]string{
		asTable: "NAME  N\na     1\nbcd   1\n",
		asJSON:  "[\n  {\n    \"name\": \"a\"\n  },\n  {\n    \"name\": \"bcd\"\n  }\n]\n",
		asLines: "{\"name\":\"a\"}\n{\"name\":\"bcd\"}\n",
		asYAML:  "- name: a\n- name: bcd\n",
	} {
		var out bytes.Buffer
		cmd := &cobra.Command{}
		cmd.SetOut(&out)
		if err := show(cmd, &output{format}, []thing{{"a"}, {"bcd"}}, render); err != nil || out.String() != want {
			t.Errorf("%s: %q, %v, want %q", format, &out, err, want)
		}
	}
	var out bytes.Buffer
	cmd := &cobra.Command{}
	cmd.SetOut(&out)
	if err := show[thing](cmd, &output{asJSON}, nil, render); err != nil || out.String() != "[]\n" {
		t.Errorf("of nothing: %q, %v", &out, err)
	}
}

func TestDurationsAndSizesAreShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "", 1500 * time.Nanosecond: "1µs", 20 * time.Millisecond: "20ms", 1500 * time.Millisecond: "1.5s", 90 * time.Second: "90s",
		10 * time.Minute: "10m", 3 * time.Hour: "3h", 72 * time.Hour: "3d",
	} {
		if got := short(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 5 << 30: "5 GiB"} {
		if got := size(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	if got := free(node.Resources{"CPU": 1, "gpu": 0}, node.Resources{"CPU": 4, "gpu": 1}); got != "CPU 1/4, gpu 0/1" {
		t.Errorf("free is %q", got)
	}
}
