package bus_test

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"manta/bus"
)

// shortError and missingError travel with their fields: one as a value, the other as a pointer.
type shortError struct{ Want, Got int }

func (e shortError) Error() string { return fmt.Sprintf("%d of %d", e.Got, e.Want) }

type missingError struct {
	Keys []string `json:"keys"`
	note string
	Any  any `json:"any"`
}

func (e *missingError) Error() string        { return "missing " + strings.Join(e.Keys, ", ") }
func (e *missingError) Is(target error) bool { return target == io.EOF && len(e.Keys) == 0 }

func init() {
	bus.RegisterErrorTypeAt("here:1", "test_short", reflect.TypeFor[shortError]())
	bus.RegisterErrorTypeAt("here:9", "test_hides", reflect.TypeFor[hidesCause]()) // its interface does not travel, so it is no harm
	bus.RegisterErrorTypeAt("here:2", "test_missing", reflect.TypeFor[*missingError]())
}

func TestAnErrorOfARegisteredTypeComesBackWithItsFields(t *testing.T) {
	err := error(shortError{3, 2})
	for trip := range 3 {
		err = travel(t, fmt.Errorf("trip %d: %w", trip, err))
		if got, ok := errors.AsType[shortError](err); !ok || got != (shortError{3, 2}) {
			t.Fatalf("trip %d: got %#v", trip, err)
		}
	}
	if !strings.HasPrefix(err.Error(), "trip 2: trip 1: trip 0: 2 of 3") || !errors.Is(err, shortError{3, 2}) || errors.Is(err, shortError{3, 1}) {
		t.Errorf("got %q", err)
	}
	got := travel(t, errors.Join(errFull, &missingError{Keys: []string{"a", "b"}, note: "stays", Any: 1}, errEmpty))
	missing, ok := errors.AsType[*missingError](got)
	if !ok || !slices.Equal(missing.Keys, []string{"a", "b"}) || missing.note != "" || errors.Is(got, errEmpty) || errors.Is(got, io.EOF) {
		t.Errorf("got %+v of %#v", missing, got)
	}
	if got := travel(t, &missingError{}); !errors.Is(got, io.EOF) {
		t.Error("its own Is is not asked")
	}
}

func TestAnErrorWhoseFieldsCannotTravelKeepsCodeAndWords(t *testing.T) {
	for what, err := range map[string]error{
		"a channel in an interface": &missingError{Any: make(chan int)},
		"a megabyte":                &missingError{Any: strings.Repeat("x", 1<<20)},
	} {
		got := travel(t, err)
		if _, ok := errors.AsType[*missingError](got); ok || got.Error() != err.Error() || bus.ErrorCode(err) != "test_missing" {
			t.Errorf("%s: got %#v", what, got)
		}
	}
	for _, fields := range [][]byte{nil, {0xc1}, {1}, {0xa1, 'x'}, {0xdf, 0xff, 0xff, 0xff, 0xff}} {
		got := bus.Failure{Code: "test_short", Message: "too short", Detail: fields}.Err()
		if _, ok := errors.AsType[shortError](got); ok || got.Error() != "too short" {
			t.Errorf("%x: got %#v", fields, got)
		}
	}
}

type (
	hasChannel struct{ C chan int }
	hasCause   struct{ Cause error }
	hidesCause struct {
		Cause error `json:"-"`
	}
)

func (hasChannel) Error() string { return "" }
func (hasCause) Error() string   { return "" }
func (hidesCause) Error() string { return "" }

func TestATypeThatWouldNotComeBackIsRefused(t *testing.T) {
	for _, test := range []struct {
		code string
		typ  reflect.Type
		want string
	}{
		{"test_short", reflect.TypeFor[hidesCause](), "test_short is registered twice: for type bus_test.shortError at here:1 and for type bus_test.hidesCause at here:9"},
		{"test_empty", reflect.TypeFor[hidesCause](), errEmpty.Error()},
		{"test_other", reflect.TypeFor[shortError](), "two error codes, test_short and test_other"},
		{"test_other", reflect.TypeFor[error](), "interface"},
		{"test_other", reflect.TypeFor[hasChannel](), "chan"},
		{"test_other", reflect.TypeFor[hasCause](), "hasCause.Cause"},
	} {
		func() {
			defer func() {
				if words := fmt.Sprint(recover()); !strings.Contains(words, test.want) {
					t.Errorf("%v: the panic says %q, want %q in it", test.typ, words, test.want)
				}
			}()
			bus.RegisterErrorTypeAt("here:9", test.code, test.typ)
		}()
	}
}

func TestAnErrorThatNothingCanEqualIsNoSentinel(t *testing.T) {
	defer func() {
		if words := fmt.Sprint(recover()); !strings.Contains(words, "errortype_test.go") || !strings.Contains(words, "its type") {
			t.Errorf("the panic says %q", words)
		}
	}()
	bus.RegisterError("test_slice", listError{"a"})
}

type listError []string

func (e listError) Error() string { return strings.Join(e, ", ") }
