package node

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Query says which of the nodes, tasks, actors, objects or groups of a cluster are wanted.
type Query struct {
	// Filters that all have to hold.
	Filters []Filter
	// Limit is how many are returned at most. Default 100.
	Limit int
	// Page counts from 1, which 0 means too: page 2 begins after Limit of them.
	Page int
	// Since is how far back that is looked for which has ended. Default 1 h.
	Since time.Duration
}

const (
	defaultLimit = 100
	defaultSince = time.Hour
)

func (q Query) withDefaults() Query {
	q.Limit, q.Page, q.Since = cmp.Or(q.Limit, defaultLimit), cmp.Or(q.Page, 1), cmp.Or(q.Since, defaultSince)
	return q
}

func (q Query) validate() error {
	switch {
	case q.Limit < 0:
		return fmt.Errorf("Query.Limit is %d: want a number from 1, or 0 for %d", q.Limit, defaultLimit)
	case q.Page < 0:
		return fmt.Errorf("Query.Page is %d: want a number from 1", q.Page)
	case q.Since < 0:
		return fmt.Errorf("Query.Since is %v: want a duration from 0, where 0 means %v", q.Since, defaultSince)
	}
	return nil
}

// Filter compares a field of what is listed, by its name in JSON, with a value as JSON has it without quotes: state=failed, node_name!=a, attempt=2,
// labels.zone=eu.
type Filter struct {
	Field string
	Not   bool // the field has another value
	Value string
}

// ParseFilter reads "field=value" or "field!=value".
func ParseFilter(text string) (Filter, error) {
	field, value, ok := strings.Cut(text, "=")
	field, not := strings.CutSuffix(field, "!")
	if field = strings.TrimSpace(field); !ok || field == "" {
		return Filter{}, fmt.Errorf("the filter %q: want field=value or field!=value, for example state=failed", text)
	}
	return Filter{Field: field, Not: not, Value: strings.TrimSpace(value)}, nil
}

// String returns what ParseFilter reads.
func (f Filter) String() string {
	if f.Not {
		return f.Field + "!=" + f.Value
	}
	return f.Field + "=" + f.Value
}

// List is a page of what was found.
type List[T any] struct {
	Items []T `json:"items"`
	// Total is how many there are, on all pages.
	Total int `json:"total"`
	// LeftOut is how many tasks were too many to be told of: they ran, and only those that have not ended, and some that failed, are among the
	// items.
	LeftOut int64 `json:"left_out,omitempty"`
	// Missing are the nodes that did not answer, and nodes that have more than they said: what they have at this moment is not among the items, or not
	// all of it.
	Missing []Missing `json:"missing,omitempty"`
}

// Missing is what a list lacks.
type Missing struct {
	Node     string `json:"node"`
	NodeName string `json:"node_name,omitempty"`
	Reason   string `json:"reason"`
}

// choose returns the page of all that a query asks for.
func choose[T any](all []T, q Query) (items []T, total int, err error) {
	fields := fieldsOf(reflect.TypeFor[T]())
	for _, f := range q.Filters {
		if err := fields.check(f); err != nil {
			return nil, 0, err
		}
	}
	items = make([]T, 0, min(len(all), q.Limit))
	for i := range all {
		if !fields.match(reflect.ValueOf(&all[i]).Elem(), q.Filters) {
			continue
		}
		if total++; total > (q.Page-1)*q.Limit && len(items) < q.Limit {
			items = append(items, all[i])
		}
	}
	return items, total, nil
}

// fields are the fields of a struct, by their names in JSON.
type fields map[string]int

func fieldsOf(t reflect.Type) fields {
	f := make(fields)
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		switch t.Field(i).Type.Kind() {
		case reflect.Slice, reflect.Pointer:
		case reflect.Struct:
			if t.Field(i).Type == reflect.TypeFor[time.Time]() {
				f[name] = i
			}
		default:
			f[name] = i
		}
	}
	return f
}

func (f fields) check(by Filter) error {
	name, _, _ := strings.Cut(by.Field, ".")
	if _, ok := f[name]; ok {
		return nil
	}
	names := make([]string, 0, len(f))
	for name := range f {
		names = append(names, name)
	}
	slices.Sort(names)
	return fmt.Errorf("the filter %q: there is no field %q: want one of %s", by, by.Field, strings.Join(names, ", "))
}

func (f fields) match(item reflect.Value, filters []Filter) bool {
	for _, by := range filters {
		name, inside, _ := strings.Cut(by.Field, ".")
		if (text(item.Field(f[name]), inside) == by.Value) == by.Not {
			return false
		}
	}
	return true
}

// text is a field's value; of a map, that under a key.
func text(v reflect.Value, key string) string {
	switch v.Kind() {
	case reflect.Map:
		if v = v.MapIndex(reflect.ValueOf(key)); !v.IsValid() {
			return ""
		}
		return text(v, "")
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10)
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	}
	if at, ok := v.Interface().(time.Time); ok {
		return at.Format(time.RFC3339Nano)
	}
	return v.String()
}
