package node_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"manta/node"
)

// dashboard is what a test wants to know of docs/grafana/manta.json.
type dashboard struct {
	Title  string
	Panels []struct {
		ID      int
		Type    string
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ Expr string }
	}
	Templating struct {
		List []struct{ Definition string }
	}
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile("../docs/grafana/manta.json")
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var metricName = regexp.MustCompile(`\bmanta_[a-z_]+`)

// scrapedNames are the names of all series that nodes have, and the labels of each.
func scrapedNames(t *testing.T, nodes ...*node.Node) map[string][]string {
	t.Helper()
	names := make(map[string][]string)
	for _, n := range nodes {
		for name, family := range families(t, n) {
			series := []string{name}
			if family.Metric[0].Histogram != nil {
				series = []string{name + "_bucket", name + "_sum", name + "_count"}
			}
			for _, name := range series {
				names[name] = []string{"instance", "le"} // what Prometheus and histograms add
				for _, label := range family.Metric[0].Label {
					names[name] = append(names[name], label.GetName())
				}
			}
		}
	}
	return names
}

func TestTheDashboardShowsMetricsThatThereAre(t *testing.T) {
	d := readDashboard(t)
	client, worker := busyCluster(t)
	names := scrapedNames(t, client, worker)
	shown := make(map[string]bool)
	var queries []string
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			queries = append(queries, target.Expr)
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
	}
	for _, variable := range d.Templating.List {
		queries = append(queries, variable.Definition)
	}
	by := regexp.MustCompile(`by \(([a-z, ]+)\)`)
	for _, query := range queries {
		var labels []string
		for _, name := range metricName.FindAllString(query, -1) {
			shown[name] = true
			if names[name] == nil {
				t.Errorf("no node has %s, of the query %s", name, query)
			}
			labels = append(labels, names[name]...)
		}
		for _, group := range by.FindAllStringSubmatch(query, -1) {
			for _, label := range strings.Split(group[1], ", ") {
				if !slices.Contains(labels, label) {
					t.Errorf("no metric has the label %s, of the query %s", label, query)
				}
			}
		}
	}
	for name := range names {
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if !slices.ContainsFunc(queries, func(query string) bool { return strings.Contains(query, base) }) {
			t.Errorf("%s is shown nowhere", name)
		}
	}
	if len(shown) < 40 {
		t.Errorf("it shows %d metrics", len(shown))
	}
}

func TestTheDashboardHasARowOfPanelsForEachPart(t *testing.T) {
	d := readDashboard(t)
	var rows []string
	ids := make(map[int]bool)
	for i, p := range d.Panels {
		if p.Type == "row" {
			rows = append(rows, p.Title)
		}
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		for _, other := range d.Panels[:i] {
			a, b := p.GridPos, other.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("panels %q and %q lie over each other", p.Title, other.Title)
			}
		}
	}
	if want := []string{"Cluster", "Tasks", "Actors", "Objects", "NATS"}; !slices.Equal(rows, want) {
		t.Errorf("the rows are %q, want %q", rows, want)
	}
}
