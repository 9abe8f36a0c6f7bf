package bus_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"manta/bus"
)

var (
	errEmpty = bus.RegisterError("test_empty", errors.New("the queue is empty"))
	errFull  = errors.New("the queue is full") // nobody registered it
)

// limitError travels with a Detail.
type limitError struct{ limit byte }

func (e *limitError) Error() string { return fmt.Sprintf("limit of %d reached", e.limit) }
func (e *limitError) EncodeFailure() bus.Failure {
	return bus.Failure{Code: "test_limit", Message: e.Error(), Detail: []byte{e.limit}}
}

func init() {
	bus.RegisterFailure("test_limit", func(f bus.Failure) error { return &limitError{f.Detail[0]} })
}

// travel sends an error through a frame.
func travel(t *testing.T, err error) error {
	t.Helper()
	r, _ := bus.ReadFrame(bus.EncodeFailure(err).AppendTo(bus.AppendFrame(nil, 'f')))
	failure := r.ReadFailure()
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return failure.Err()
}

func TestARegisteredErrorIsFoundAfterATrip(t *testing.T) {
	for _, err := range []error{errEmpty, fmt.Errorf("taking: %w", errEmpty), errors.Join(errFull, errEmpty)} {
		got := travel(t, err)
		if !errors.Is(got, errEmpty) || got.Error() != err.Error() {
			t.Errorf("%q came back as %q; Is says %v", err, got, errors.Is(got, errEmpty))
		}
		if again := travel(t, fmt.Errorf("again: %w", got)); !errors.Is(again, errEmpty) || again.Error() != "again: "+err.Error() {
			t.Errorf("%q came back from a second trip as %q", err, again)
		}
	}
}

func TestAnErrorThatNobodyRegisteredKeepsItsWords(t *testing.T) {
	got := travel(t, fmt.Errorf("putting: %w", errFull))
	if got.Error() != "putting: the queue is full" || errors.Is(got, errFull) || errors.Is(got, errEmpty) {
		t.Errorf("got %q", got)
	}
	if code := bus.ErrorCode(got); code != bus.UnknownCode {
		t.Errorf("its code is %q", code)
	}
}

func TestAnErrorTypeKeepsItsDetail(t *testing.T) {
	got := travel(t, fmt.Errorf("wrapped: %w", &limitError{7}))
	if limit, ok := errors.AsType[*limitError](got); !ok || limit.limit != 7 {
		t.Errorf("got %#v", got)
	}
}

func TestACodeThatThisProcessDoesNotKnowKeepsItsWords(t *testing.T) {
	got := bus.Failure{Code: "from the future", Message: "flux"}.Err()
	if got.Error() != "flux" || errors.Unwrap(got) != nil {
		t.Errorf("got %#v", got)
	}
}

func TestACodeThatIsTakenPanicsAndNamesBothErrors(t *testing.T) {
	defer func() {
		words := fmt.Sprint(recover())
		for _, want := range []string{"test_empty", errEmpty.Error(), errFull.Error(), "failure_test.go:13", "failure_test.go:88"} {
			if !strings.Contains(words, want) {
				t.Errorf("the panic says %q: want %q in it", words, want)
			}
		}
		if bus.Recognised("test_empty", nil) != errEmpty {
			t.Error("the second error took the first one's code")
		}
	}()
	bus.RegisterError("test_empty", errFull)
}

func TestASecondDecoderOfACodePanics(t *testing.T) {
	defer func() {
		if words := fmt.Sprint(recover()); !strings.Contains(words, "test_limit") {
			t.Errorf("the panic says %q", words)
		}
	}()
	bus.RegisterFailure("test_limit", func(bus.Failure) error { return nil })
}
