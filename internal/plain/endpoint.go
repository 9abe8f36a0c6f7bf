package plain

import (
	"encoding"
	"encoding/json"
	"errors"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"manta/bus"
)

// Endpoint is a subject at which plain clients ask for something, and what has become of what they asked.
type Endpoint struct {
	Name     string // letters, digits, '_' and '-'
	Subject  string
	Metadata func() map[string]string // for people and programs that look for it

	requests, errors atomic.Int64
	busy             atomic.Int64 // ns, from a request's coming to its reply
	lastError        atomic.Pointer[string]
}

// lastErrorBytes bounds what is kept of an error, and told with those of all endpoints in one message.
const lastErrorBytes = 256

func (e *Endpoint) count(begun time.Time, err error) {
	e.requests.Add(1)
	e.busy.Add(int64(time.Since(begun)))
	if err != nil {
		e.errors.Add(1)
		text := bus.Clip(err.Error(), lastErrorBytes)
		e.lastError.Store(&text)
	}
}

func (e *Endpoint) info() bus.EndpointInfo {
	return bus.EndpointInfo{Name: e.Name, Subject: e.Subject, QueueGroup: bus.Workers, Metadata: e.Metadata()}
}

func (e *Endpoint) stats() *bus.EndpointStats {
	s := &bus.EndpointStats{
		Name: e.Name, Subject: e.Subject, QueueGroup: bus.Workers,
		NumRequests: int(e.requests.Load()), NumErrors: int(e.errors.Load()), ProcessingTime: time.Duration(e.busy.Load()),
	}
	if s.NumRequests > 0 {
		s.AverageProcessingTime = s.ProcessingTime / time.Duration(s.NumRequests)
	}
	if text := e.lastError.Load(); text != nil {
		s.LastError = *text
	}
	return s
}

// Signature is what a function or method takes and returns, in JSON schemas.
type Signature struct {
	Args   []*jsonschema.Schema `json:"args,omitempty"`
	Result *jsonschema.Schema   `json:"result,omitempty"`
}

// Describe makes a signature of Go types.
func Describe(args []reflect.Type, result reflect.Type) Signature {
	s := Signature{Result: SchemaOf(result)}
	for _, t := range args {
		s.Args = append(s.Args, SchemaOf(t))
	}
	return s
}

// SchemaOf is the JSON schema of a Go type; that of anything if the type writes its JSON itself, or has a part that has no schema.
func SchemaOf(t reflect.Type) *jsonschema.Schema {
	own := make(map[reflect.Type]*jsonschema.Schema)
	var s *jsonschema.Schema
	err := learn(t, own, make(map[reflect.Type]bool), 0)
	if err == nil {
		s, err = jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: own})
	}
	if err != nil {
		return anything(t)
	}
	loosen(s)
	return s
}

func anything(t reflect.Type) *jsonschema.Schema { return &jsonschema.Schema{Description: t.String()} }

// deepest is how many types may stand inside each other in a schema.
const deepest = 20

var errTooDeep = errors.New("types stand too deep inside each other")

// learn finds the types inside t whose JSON is not that of their parts.
func learn(t reflect.Type, own map[reflect.Type]*jsonschema.Schema, seen map[reflect.Type]bool, depth int) error {
	switch {
	case depth > deepest:
		return errTooDeep
	case seen[t] && t.Kind() != reflect.Pointer:
		return nil
	}
	seen[t] = true
	writes := func(how reflect.Type) bool { return t.Implements(how) || reflect.PointerTo(t).Implements(how) }
	switch t.Kind() {
	case reflect.Interface, reflect.Pointer:
	default:
		if writes(reflect.TypeFor[json.Marshaler]()) && t != reflect.TypeFor[time.Time]() {
			own[t] = anything(t)
			return nil
		}
		if writes(reflect.TypeFor[encoding.TextMarshaler]()) {
			own[t] = &jsonschema.Schema{Type: "string", Description: t.String()}
			return nil
		}
	}
	switch t.Kind() {
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			own[t] = &jsonschema.Schema{Type: "string", ContentEncoding: "base64"}
			return nil
		}
		return learn(t.Elem(), own, seen, depth+1)
	case reflect.Pointer, reflect.Array, reflect.Map:
		return learn(t.Elem(), own, seen, depth+1)
	case reflect.Struct:
		for i := range t.NumField() {
			if err := learn(t.Field(i).Type, own, seen, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// loosen has objects do without fields, and take such that the schema does not name, as who reads them does.
func loosen(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Not != nil {
		s.AdditionalProperties = nil
	}
	s.Required = nil
	if len(s.Types) == 1 { // null, or else anything
		s.Types = nil
	}
	loosen(s.AdditionalProperties)
	loosen(s.Items)
	for _, property := range s.Properties {
		loosen(property)
	}
}

// Text is JSON for metadata, whose values are texts.
func Text(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}
