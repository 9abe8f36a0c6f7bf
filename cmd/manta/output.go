package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"golang.org/x/term"
	"gopkg.in/yaml.v3"
)

// The formats of -o.
const (
	asTable = "table"
	asJSON  = "json"
	asLines = "jsonl"
	asYAML  = "yaml"
)

var formats = []string{asTable, asJSON, asLines, asYAML}

// output is how a command writes data.
type output struct{ format string }

func (o *output) check() error {
	for _, f := range formats {
		if o.format == f {
			return nil
		}
	}
	return usagef("--output is %q: want %s", o.format, strings.Join(formats, ", "))
}

// sheet is data as people read it.
type sheet struct {
	header []string
	rows   [][]string
	right  []string // columns of numbers
}

// show writes a slice: jsonl has a line for each of its elements.
func show[T any](cmd *cobra.Command, o *output, elements []T, render func([]T) sheet) error {
	if elements == nil {
		elements = []T{} // none, not null
	}
	switch o.format {
	case asTable:
		if len(elements) == 0 {
			say(cmd, "there are none")
			return nil
		}
		return render(elements).write(cmd.OutOrStdout())
	case asLines:
		for _, e := range elements {
			if err := o.value(cmd, e, nil); err != nil {
				return err
			}
		}
		return nil
	}
	return o.value(cmd, elements, nil)
}

// value writes one value. As a table it is what words say, or JSON if there are none.
func (o *output) value(cmd *cobra.Command, v any, words func() string) error {
	w := cmd.OutOrStdout()
	if o.format == asTable && words != nil {
		_, err := io.WriteString(w, words())
		return err
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return o.raw(w, data)
}

// raw writes JSON; as a table it is JSON as it came.
func (o *output) raw(w io.Writer, data json.RawMessage) error {
	var out bytes.Buffer
	var err error
	switch o.format {
	case asJSON:
		err = json.Indent(&out, data, "", "  ")
	case asLines:
		err = json.Compact(&out, data)
	case asYAML:
		var doc *yaml.Node
		if doc, err = yamlOf(data); err == nil {
			encoder := yaml.NewEncoder(&out)
			encoder.SetIndent(2)
			err = encoder.Encode(doc)
		}
		out.Truncate(len(bytes.TrimRight(out.Bytes(), "\n")))
	default:
		out.Write(data)
	}
	if err != nil {
		return err
	}
	out.WriteByte('\n')
	_, err = w.Write(out.Bytes())
	return err
}

// yamlOf is JSON as YAML, with its keys in their order and its numbers as they are written.
func yamlOf(data json.RawMessage) (*yaml.Node, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return yamlNext(decoder)
}

func yamlNext(decoder *json.Decoder) (*yaml.Node, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		node := &yaml.Node{Kind: yaml.SequenceNode}
		if token == '{' {
			node.Kind = yaml.MappingNode
		}
		for decoder.More() { // keys come as values do
			inner, err := yamlNext(decoder)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, inner)
		}
		if len(node.Content) == 0 {
			node.Style = yaml.FlowStyle
		}
		_, err := decoder.Token() // the end
		return node, err
	case json.Number:
		tag := "!!int"
		if strings.ContainsAny(token.String(), ".eE") {
			tag = "!!float"
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: token.String()}, nil
	}
	node := &yaml.Node{}
	return node, node.Encode(token)
}

// write writes a sheet as columns, without lines, as kubectl does.
func (s sheet) write(w io.Writer) error {
	t := table.NewWriter()
	header := make(table.Row, len(s.header))
	for i, name := range s.header {
		header[i] = strings.ToUpper(name)
	}
	t.AppendHeader(header)
	for _, cells := range s.rows {
		row := make(table.Row, len(cells))
		for i, cell := range cells {
			row[i] = cell
		}
		t.AppendRow(row)
	}
	var columns []table.ColumnConfig
	for _, name := range s.right {
		columns = append(columns, table.ColumnConfig{Name: strings.ToUpper(name), Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(columns)
	t.SetStyle(table.StyleDefault)
	style := t.Style()
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = text.FormatDefault
	var out strings.Builder
	for line := range strings.Lines(t.Render()) {
		out.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// say writes words for people to stderr.
func say(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...)
}

// isTerminal says whether somebody looks at what is written.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// paint says whether colours are wanted: on a terminal, unless its user or the terminal itself says otherwise.
func paint(terminal bool, getenv func(string) string) bool {
	return terminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// The colours of a terminal.
const (
	green  = "32"
	yellow = "33"
	red    = "31"
)

// colour paints words that are written to w.
func colour(w io.Writer, code, words string) string {
	if !paint(isTerminal(w), os.Getenv) {
		return words
	}
	return "\x1b[" + code + "m" + words + "\x1b[0m"
}
