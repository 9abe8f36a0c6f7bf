package member

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestASelectorChoosesNodesAsKubernetesDoes(t *testing.T) {
	eu := map[string]string{"zone": "eu", "arch": "arm", "empty": ""}
	for text, want := range map[string]struct{ labelled, bare bool }{
		"":                           {true, true},
		"zone=eu":                    {true, false},
		"zone==eu":                   {true, false},
		"zone=us":                    {false, false},
		"zone!=eu":                   {false, true},
		"zone!=us":                   {true, true},
		"zone in (us, eu)":           {true, false},
		"zone in(us)":                {false, false},
		"zone notin (us,asia)":       {true, true},
		"zone notin (us,eu)":         {false, true},
		"zone":                       {true, false},
		"!zone":                      {false, true},
		"gpu":                        {false, false},
		"!gpu":                       {true, true},
		"empty=":                     {true, false},
		"empty!=":                    {false, true},
		" zone = eu , arch!=amd64  ": {true, false},
		"zone=eu,arch=amd64":         {false, false},
		"in=in,notin notin (notin)":  {false, false},
	} {
		s, err := ParseSelectors(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := s.Matches(eu); got != want.labelled {
			t.Errorf("%q: a node with %v matches: %v", text, eu, got)
		}
		if got := s.Matches(nil); got != want.bare {
			t.Errorf("%q: a node without labels matches: %v", text, got)
		}
	}
}

func TestAWrongSelectorIsAnErrorThatShowsThePlaceAndAnExample(t *testing.T) {
	for text, place := range map[string]string{
		"=eu":               "at character 1;",
		"zone=eu,":          "at character 9;",
		"zone=eu us":        "at character 9;",
		"zone ~ eu":         "at character 6;",
		"zone like eu":      "at character 6;",
		"zone in eu":        "at character 9;",
		"zone in (eu":       "at character 12;",
		"zone in ()":        "at character 10;",
		"zone in (eu,)":     "at character 13;",
		"zone=-eu":          "at character 6;",
		"zone=eu,_a=b":      "at character 9;",
		"!":                 "at character 2;",
		"zöne=eu":           "at character 2;",
		"a/b/c=eu":          "at character 1;",
		"UPPER.com/zone=eu": "at character 1;",
	} {
		_, err := ParseSelectors("arch=arm", text)
		if err == nil {
			t.Errorf("%q was taken", text)
			continue
		}
		for _, want := range []string{place, "zone in (eu, us)"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("got %q, want it to say %q", err, want)
			}
		}
	}
}

func TestLabelsAreNamedAndValuedAsKubernetesDoes(t *testing.T) {
	long := strings.Repeat("a", 63)
	for name, value := range map[string]string{"zone": "eu-1", "a": "", "example.com/zone": "A.b_c-1", long: long, "9": "9"} {
		if err := CheckLabels(map[string]string{name: value}); err != nil {
			t.Error(err)
		}
	}
	for name, value := range map[string]string{
		"": "eu", "a b": "eu", "-a": "eu", "a/": "eu", "/a": "eu", "a..b/c": "eu", long + "a": "eu", "zone": "e u", "arch": ".", "gpu": long + "a", "ä": "",
	} {
		if err := CheckLabels(map[string]string{"fine": "yes", name: value}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("label %q with value %q: got %v", name, value, err)
		}
	}
}

// someRequirement draws a requirement with a model of what it means.
func someRequirement(t *rapid.T) (text string, holds func(value string, there bool) bool, label string) {
	label = rapid.SampledFrom([]string{"a", "b", "in", "example.com/zone"}).Draw(t, "label")
	values := rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y", "notin", "z.1"}), 1, 3).Draw(t, "values")
	space := rapid.SampledFrom([]string{"", " ", "\t "}).Draw(t, "space")
	list := space + "(" + strings.Join(values, space+","+space) + space + ")"
	switch rapid.IntRange(0, 5).Draw(t, "relation") {
	case 0:
		return label + space + "=" + space + values[0], func(v string, there bool) bool { return there && v == values[0] }, label
	case 1:
		return label + space + "!=" + space + values[0], func(v string, there bool) bool { return !there || v != values[0] }, label
	case 2:
		return label + " in" + list, func(v string, there bool) bool { return there && slices.Contains(values, v) }, label
	case 3:
		return label + " notin" + list, func(v string, there bool) bool { return !there || !slices.Contains(values, v) }, label
	case 4:
		return label, func(_ string, there bool) bool { return there }, label
	default:
		return "!" + space + label, func(_ string, there bool) bool { return !there }, label
	}
}

func TestASelectorMeansWhatItsRequirementsMean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "in"}), rapid.SampledFrom([]string{"x", "y", "notin", ""})).Draw(t, "labels")
		var texts []string
		want := true
		for range rapid.IntRange(0, 4).Draw(t, "requirements") {
			text, holds, label := someRequirement(t)
			value, there := labels[label]
			texts = append(texts, text)
			want = want && holds(value, there)
		}
		s, err := ParseSelectors(strings.Join(texts, ","))
		if err != nil {
			t.Fatal(err)
		}
		if s.Matches(labels) != want {
			t.Errorf("%q matches %v: %v", texts, labels, !want)
		}
		slices.Reverse(texts)
		again, err := ParseSelectors(texts...)
		if err != nil || again.String() != s.String() {
			t.Errorf("in another order it is %q, %v, want %q", again, err, s)
		}
	})
}

func FuzzSelector(f *testing.F) {
	for _, text := range []string{"zone=eu,gpu!=a100", "zone in (a,b)", "arch notin (x, y),!z,w", "a==", "(", "a in (", "=", "ä", "a/b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSelectors(text)
		if err != nil {
			return
		}
		again, err := ParseSelectors(s.String())
		if err != nil || again.String() != s.String() {
			t.Errorf("%q is %q, which is %q, %v", text, s, again, err)
		}
		s.Matches(map[string]string{"zone": "eu"})
	})
}
