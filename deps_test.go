package manta_test

import (
	"bytes"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// order is the library, bottom first. A package may import those before it. What stands on top of it all, each by
// itself, are the programs: everything in examples, integration and cmd.
var order = []string{
	".", // the package story: no code, so that nothing is written twice
	"internal/shared",
	"internal/freeport",
	"internal/recorded",
	"bus",
	"internal/event",
	"internal/logs",
	"internal/member",
	"objstore",
	"internal/call",
	"internal/plain",
	"placement",
	"task",
	"actor",
	"actor/shared",
	"node",
	"node/embedded",
	"node/nodetest",
}

// rules hold for every folder of Go files in this module. Only the first speaks of tests too, those inside a package:
// tests outside it (package x_test) see it as a user does and may start nodes.
var rules = []rule{
	{
		name:   "a package imports only what stands beneath it",
		why:    "down once, up once: a call never comes back up, so each layer is read and tested without those above",
		broken: notBeneath,
		wrong:  folder{path: "task", imports: []string{"manta/bus", "manta/actor"}},
	},
	{
		name: "nats.go stays behind bus",
		why:  "subjects, codecs and reconnection have one home; above it NATS is typed messages, tables and blobs",
		broken: only("github.com/nats-io/nats.go", exceptions{
			"bus":           "it is the package that knows nats.go",
			"node":          "nats.Option passes through its configuration",
			"node/embedded": "nats.Option passes through its configuration, with the in-process connection",
			"node/nodetest": "it hands out plain NATS clients, and connects each node by a cable of its own, which Kill cuts",

			"cmd/manta":             "it connects as its flags say",
			"cmd/manta/natscontext": "it makes options of nats.go of the contexts of the nats command",
			"cmd/manta/doctor":      "it looks at the server, and at what its user may do, before a node could start",
			"cmd/manta/bench":       "plain NATS is what it compares Manta with",
		}),
		wrong: folder{path: "task", imports: []string{"github.com/nats-io/nats.go/jetstream"}},
	},
	{
		name: "nats-server comes with node/embedded alone",
		why:  "it adds 8 MB: a program that connects to a server of its own does not pay for one inside",
		broken: only("github.com/nats-io/nats-server", exceptions{
			"node/embedded": "it is the server inside; node/nodetest gets its servers here",
		}),
		wrong: folder{path: "node/nodetest", imports: []string{"github.com/nats-io/nats-server/v2/server"}},
	},
	{
		name: "Prometheus stays in node",
		why:  "the parts count in plain integers, since a task is a microsecond; node makes metrics of copies when somebody scrapes",
		broken: only("github.com/prometheus", exceptions{
			"node": "it has the handler and the collector, and nothing else of it is used",
		}),
		wrong: folder{path: "task", imports: []string{"github.com/prometheus/client_golang/prometheus"}},
	},
	{
		name:   "OpenTelemetry's SDK is the program's to choose",
		why:    "the library speaks its API alone: where spans go, and what comes with that, is paid for by who wants them",
		broken: only("go.opentelemetry.io/otel/sdk", nil),
		wrong:  folder{path: "internal/call", imports: []string{"go.opentelemetry.io/otel/sdk/trace"}},
	},
	{
		name:   "the library does not draw: gonum",
		why:    "plots are the examples' business, and a library's imports are paid for by everyone who embeds it",
		broken: notInLibrary("gonum.org"),
		wrong:  folder{path: "objstore", imports: []string{"gonum.org/v1/plot"}},
	},
	{
		name:   "the library does not draw: mpb",
		why:    "progress bars are the examples' business; a library prints nothing by itself",
		broken: notInLibrary("github.com/vbauerster/mpb"),
		wrong:  folder{path: "node", imports: []string{"github.com/vbauerster/mpb/v8"}},
	},
	{
		name:   "the library does not draw: go-pretty",
		why:    "tables are for examples and the command line; a library prints nothing by itself",
		broken: notInLibrary("github.com/jedib0t/go-pretty"),
		wrong:  folder{path: "actor", imports: []string{"github.com/jedib0t/go-pretty/v6/table"}},
	},
	{
		name:   "the library has no command line: cobra",
		why:    "commands are cmd's business; examples and the processes of integration do with package flag",
		broken: only("github.com/spf13/cobra", exceptions{"cmd/manta": "it is the command line"}),
		wrong:  folder{path: "examples/service", imports: []string{"github.com/spf13/cobra"}},
	},
	{
		name:   "what programs and their tests bring from outside is listed",
		why:    "go.mod is one for all: what a program brings stands in the module graph of everyone who embeds the library",
		broken: brings,
		wrong:  folder{path: "integration", testImports: []string{"github.com/stretchr/testify/assert"}},
	},
	{
		name: "unsafe stays in bus and internal/shared",
		why:  "memory that the compiler does not check is reviewed in one place",
		broken: only("unsafe", exceptions{
			"bus": "its codec hands out numeric slices as views into the bytes that came, without a copy",

			"internal/shared": "it lays files over memory of Go's heap, so that the collector knows when nobody has a view of them",
		}),
		wrong: folder{path: "objstore", imports: []string{"unsafe"}},
	},
	{
		name:   "no cgo",
		why:    "one static binary, built for any platform from any other",
		broken: only("C", nil),
		wrong:  folder{path: "bus", imports: []string{"C"}},
	},
	{
		name:   "no package is called util",
		why:    "a package is named after what it holds, or nobody knows what does not belong in it",
		broken: utility,
		wrong:  folder{path: "internal/netutil"},
	},
	{
		name:   "every package says what it is",
		why:    "its guarantees (order, delivery, what the user must do) are read before its code",
		broken: undocumented,
		wrong:  folder{path: "task"},
	},
	{
		name:   "every package's tests watch for goroutines left behind",
		why:    "every goroutine has an owner that waits for it, and only a test can tell",
		broken: unwatched,
		wrong:  folder{path: "task", tested: true},
	},
}

func TestTheImportRulesHold(t *testing.T) {
	folders := readModule(t)
	for _, rule := range rules {
		t.Run(rule.name, func(t *testing.T) {
			for _, folder := range folders {
				for _, what := range rule.broken(folder) {
					t.Errorf("%s %s\n\trule: %s\n\twhy:  %s", folder.path, what, rule.name, rule.why)
				}
			}
		})
	}
}

func TestEveryRuleCanBeBroken(t *testing.T) {
	for _, rule := range rules {
		t.Run(rule.name, func(t *testing.T) {
			if len(rule.broken(rule.wrong)) == 0 {
				t.Errorf("the rule accepts %+v", rule.wrong)
			}
		})
	}
}

func TestTheOrderNamesFoldersThatExist(t *testing.T) {
	folders := readModule(t)
	for _, path := range order {
		if !slices.ContainsFunc(folders, func(f folder) bool { return f.path == path }) {
			t.Errorf("%s stands in the order and holds no Go file", path)
		}
	}
}

type rule struct {
	name, why string
	broken    func(folder) []string // what is wrong with a folder, as the rest of a sentence about it
	wrong     folder                // one that breaks the rule, so that a rule that accepts everything is found out
}

// exceptions are folders where a rule does not hold, each with its reason.
type exceptions map[string]string

func notBeneath(f folder) (wrong []string) {
	here, ok := place(f.path)
	if !ok {
		return []string{"has no place: put it into the order, above what it imports"}
	}
	for _, imported := range slices.Concat(f.imports, f.testImports) {
		path, ours := inModule(imported)
		inside := strings.HasPrefix(path, f.path+"/") // a program may have folders of its own
		if !ours || inside {
			continue
		}
		// One without a place of its own is reported where it stands.
		if there, ok := place(path); ok && there >= here {
			wrong = append(wrong, fmt.Sprintf("imports %s, which does not stand beneath it", path))
		}
	}
	return wrong
}

func only(library string, in exceptions) func(folder) []string {
	return func(f folder) (wrong []string) {
		if _, allowed := in[f.path]; allowed {
			return nil
		}
		for _, imported := range f.imports {
			if within(imported, library) {
				wrong = append(wrong, fmt.Sprintf("imports %s%s", imported, in))
			}
		}
		return wrong
	}
}

func (e exceptions) String() string {
	var text strings.Builder
	for _, path := range slices.Sorted(maps.Keys(e)) {
		fmt.Fprintf(&text, "\n\tonly %s may: %s", path, e[path])
	}
	return text.String()
}

func notInLibrary(library string) func(folder) []string {
	return func(f folder) []string {
		if place, _ := place(f.path); place == len(order) {
			return nil
		}
		return only(library, nil)(f)
	}
}

// outside are the modules that the programs in a folder may import, in tests as well. Examples are to show what they like.
var outside = map[string][]string{
	"cmd": {
		"github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/jedib0t/go-pretty", "gopkg.in/yaml.v3", "golang.org/x/term", // the command line
		"github.com/nats-io/nats.go", "go.uber.org/zap", "github.com/google/pprof", "go.uber.org/goleak", "pgregory.net/rapid",
	},
	"integration": {"github.com/nats-io/nats.go", "go.uber.org/zap", "go.opentelemetry.io/otel", "go.uber.org/goleak"},
}

func brings(f folder) (wrong []string) {
	for program, allowed := range outside {
		if !within(f.path, program) {
			continue
		}
		for _, imported := range slices.Concat(f.imports, f.testImports) {
			first, _, _ := strings.Cut(imported, "/")
			standard := !strings.Contains(first, ".")
			if _, ours := inModule(imported); standard || ours {
				continue
			}
			if !slices.ContainsFunc(allowed, func(library string) bool { return within(imported, library) }) {
				wrong = append(wrong, fmt.Sprintf("imports %s; %s may import %s", imported, program, strings.Join(allowed, ", ")))
			}
		}
	}
	return wrong
}

func utility(f folder) []string {
	if strings.Contains(strings.ToLower(f.path+" "+f.name), "util") {
		return []string{"(package " + f.name + ") is named after nothing"}
	}
	return nil
}

func undocumented(f folder) []string {
	if !f.documented {
		return []string{"has no package comment: write its doc.go"}
	}
	return nil
}

func unwatched(f folder) []string {
	if f.tested && !f.watched {
		return []string{"has tests and no TestMain with goleak.VerifyTestMain(m)"}
	}
	return nil
}

// place is where a folder stands in the order: programs on top, and unknown folders nowhere.
func place(path string) (int, bool) {
	if within(path, "examples") || within(path, "integration") || within(path, "cmd") {
		return len(order), true
	}
	i := slices.Index(order, path)
	return i, i >= 0
}

func inModule(imported string) (path string, ours bool) {
	if imported == "manta" {
		return ".", true
	}
	return strings.CutPrefix(imported, "manta/")
}

func within(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}

// A folder is what the Go files in one directory say of themselves.
type folder struct {
	path        string // in the module, "." for its root
	name        string // of the package
	documented  bool
	imports     []string
	testImports []string // of tests inside the package
	tested      bool
	watched     bool // by goleak
}

// readModule reads the source itself and not the go command's list: so files for other platforms and for race builds
// count too, and the go command, which sees what a test opens, never repeats a stale result from its cache.
func readModule(t *testing.T) []folder {
	t.Helper()
	folders := map[string]*folder{}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "." && foreign(path):
			return filepath.SkipDir
		case entry.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		if folders[dir] == nil {
			folders[dir] = &folder{path: dir}
		}
		return folders[dir].read(path)
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []folder
	for _, path := range slices.Sorted(maps.Keys(folders)) {
		all = append(all, *folders[path])
	}
	return all
}

// foreign are the directories that ./... passes by.
func foreign(dir string) bool {
	name := filepath.Base(dir)
	if name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func (f *folder) read(path string) error {
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return err
	}
	var imports []string
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		imports = append(imports, imported)
	}
	if !strings.HasSuffix(path, "_test.go") {
		f.name = file.Name.Name
		f.imports = append(f.imports, imports...)
		f.documented = f.documented || file.Doc.Text() != ""
		return nil
	}
	f.tested = true
	f.watched = f.watched || bytes.Contains(source, []byte("goleak.VerifyTestMain(m"))
	if !strings.HasSuffix(file.Name.Name, "_test") {
		f.testImports = append(f.testImports, imports...)
	}
	return nil
}
