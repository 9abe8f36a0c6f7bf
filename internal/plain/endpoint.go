package plain

import (
	"encoding/json"
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

func (e *Endpoint) count(begun time.Time, err error) {
	e.requests.Add(1)
	e.busy.Add(int64(time.Since(begun)))
	if err != nil {
		e.errors.Add(1)
		text := err.Error()
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
	if t.Implements(reflect.TypeFor[json.Marshaler]()) || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Marshaler]()) {
		return &jsonschema.Schema{Description: t.String()}
	}
	s, err := jsonschema.ForType(t, nil)
	if err != nil {
		return &jsonschema.Schema{Description: t.String()}
	}
	loosen(s)
	return s
}

// loosen has objects take fields that the schema does not name: who reads them passes over what he does not know.
func loosen(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Not != nil {
		s.AdditionalProperties = nil
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
