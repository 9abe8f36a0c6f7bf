package bench

import (
	"encoding/json"
	"io"
	"math"
	"strconv"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// WriteJSON writes the results as one array.
func WriteJSON(w io.Writer, results []Result) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(results)
}

// WriteTable writes the results for people.
func WriteTable(w io.Writer, results []Result) error {
	t := table.NewWriter()
	t.AppendHeader(table.Row{"measure", "median", "unit", "lowest", "highest", "p50 µs", "p99 µs", "ratio", "to", "samples"})
	for _, r := range results {
		t.AppendRow(table.Row{
			r.Name, number(r.Value), r.Unit, number(r.Low), number(r.High), optional(r.P50), optional(r.P99), optional(r.Ratio),
			r.Baseline, r.Rounds,
		})
	}
	var columns []table.ColumnConfig
	for _, name := range []string{"median", "lowest", "highest", "p50 µs", "p99 µs", "ratio", "samples"} {
		columns = append(columns, table.ColumnConfig{Name: name, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(columns)
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	_, err := io.WriteString(w, t.Render()+"\n")
	return err
}

func optional(v *float64) string {
	if v == nil {
		return ""
	}
	return number(*v)
}

// number writes v with about three digits that count, and thousands apart.
func number(v float64) string {
	decimals := 0
	switch size := math.Abs(v); {
	case size < 1:
		decimals = 3
	case size < 10:
		decimals = 2
	case size < 100:
		decimals = 1
	}
	digits := strconv.FormatFloat(v, 'f', decimals, 64)
	if decimals > 0 {
		return digits
	}
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
