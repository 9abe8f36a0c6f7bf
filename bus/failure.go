package bus

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"sync"
)

// Failure is an error as it travels: a code that names a registered error, and words.
type Failure struct {
	Code    string
	Message string
	// Detail is what an error type beyond code and message needs, encoded by itself.
	Detail []byte
}

// UnknownCode is the code of an error that nobody registered.
const UnknownCode = "error"

// FailureEncoder is implemented by error types that travel with a Detail.
type FailureEncoder interface {
	error
	EncodeFailure() Failure
}

var codes struct {
	sync.RWMutex
	registered map[string]registered
	types      map[reflect.Type]string // of those that are types: their codes
	decoders   map[string]func(Failure) error
}

// registered is what stands behind a code: one error, or the errors of one type.
type registered struct {
	sentinel error
	typ      reflect.Type
	place    string // file and line that registered it
}

func (r registered) String() string {
	if r.typ != nil {
		return "type " + r.typ.String() + " at " + r.place
	}
	return r.sentinel.Error() + " at " + r.place
}

// RegisterError gives a sentinel error the code by which other processes recognise it, and returns it. Two errors with
// one code are a programming error: it panics.
func RegisterError(code string, sentinel error) error {
	return RegisterErrorAt(CallerOf(1), code, sentinel)
}

// RegisterErrorAt is RegisterError for somebody else, whose file and line place is.
func RegisterErrorAt(place, code string, sentinel error) error {
	if sentinel == nil || !reflect.TypeOf(sentinel).Comparable() {
		panic(fmt.Sprintf("bus: error code %s at %s: a %T is recognised by no comparison: register its type instead", code, place, sentinel))
	}
	register(code, registered{sentinel: sentinel, place: place})
	return sentinel
}

func register(code string, what registered) {
	codes.Lock()
	defer codes.Unlock()
	if old, taken := codes.registered[code]; taken {
		panic(fmt.Sprintf("bus: error code %s is registered twice: for %v and for %v; rename one", code, old, what))
	}
	if other, taken := codes.types[what.typ]; taken && what.typ != nil {
		panic(fmt.Sprintf("bus: %v has two error codes, %s and %s: %v has the first; keep one", what, other, code, codes.registered[other]))
	}
	if codes.registered == nil {
		codes.registered, codes.types = make(map[string]registered), make(map[reflect.Type]string)
	}
	codes.registered[code] = what
	if what.typ != nil {
		codes.types[what.typ] = code
	}
}

// CallerOf returns file and line of a caller: with 0 of CallerOf's, with 1 of that one's, and so on.
func CallerOf(skip int) string {
	_, file, line, _ := runtime.Caller(skip + 1)
	return fmt.Sprintf("%s:%d", file, line)
}

// RegisterFailure registers the decoder of a [FailureEncoder] type's code. Two decoders of one code are a programming
// error: it panics.
func RegisterFailure(code string, decode func(Failure) error) {
	codes.Lock()
	defer codes.Unlock()
	if codes.decoders == nil {
		codes.decoders = make(map[string]func(Failure) error)
	}
	if _, taken := codes.decoders[code]; taken {
		panic("bus: two decoders are registered for error code " + code)
	}
	codes.decoders[code] = decode
}

// EncodeFailure turns an error into its travelling form.
func EncodeFailure(err error) Failure {
	if enc, ok := errors.AsType[FailureEncoder](err); ok {
		return enc.EncodeFailure()
	}
	code, fields := Recognise(err)
	return Failure{Code: code, Message: err.Error(), Detail: fields}
}

// ErrorCode returns the code of the registered error that err is, or UnknownCode. Of several that it wraps, the outermost
// and then the first counts.
func ErrorCode(err error) string {
	code, _ := Recognise(err)
	return code
}

// Recognise is ErrorCode with the fields of a registered type, encoded; fields that have no encoding, or too large a one, stay behind.
func Recognise(err error) (code string, fields []byte) {
	for _, e := range unwrapped(err) {
		if code, typed := codeOf(e); typed {
			return code, encodeFields(e)
		} else if code != "" {
			return code, nil
		}
	}
	return UnknownCode, nil
}

// codeOf returns the code of an error itself, "" if it has none, and whether that is its type's.
func codeOf(err error) (code string, typed bool) {
	codes.RLock()
	defer codes.RUnlock()
	if code, typed = codes.types[reflect.TypeOf(err)]; typed {
		return code, true
	}
	for code, r := range codes.registered {
		if r.sentinel != nil && err == r.sentinel { //nolint:errorlint // unwrapped has taken the chain apart
			return code, false
		}
	}
	return "", false
}

// Recognised returns the error behind what Recognise returned: the registered one, or a new one of the registered type. It is nil
// if this process does not know the code, or the fields do not fit the type.
func Recognised(code string, fields []byte) error {
	codes.RLock()
	r := codes.registered[code]
	codes.RUnlock()
	if r.typ != nil {
		return decodeFields(r.typ, fields)
	}
	return r.sentinel
}

// unwrapped returns err and all that it wraps, level by level.
func unwrapped(err error) []error {
	all := []error{err}
	for i := 0; i < len(all); i++ {
		switch e := all[i].(type) { //nolint:errorlint // this is the walk that errors.Is does
		case interface{ Unwrap() error }:
			if inner := e.Unwrap(); inner != nil {
				all = append(all, inner)
			}
		case interface{ Unwrap() []error }:
			all = append(all, e.Unwrap()...)
		}
	}
	return all
}

// Err turns the travelling form back into an error: errors.Is finds the registered sentinel, errors.As a registered type.
func (f Failure) Err() error {
	codes.RLock()
	decode, ok := codes.decoders[f.Code]
	codes.RUnlock()
	if ok {
		return decode(f)
	}
	return &remoteError{message: f.Message, cause: Recognised(f.Code, f.Detail)}
}

// AppendTo appends the failure to a frame.
func (f Failure) AppendTo(b []byte) []byte {
	return AppendBytes(AppendString(AppendString(b, f.Code), f.Message), f.Detail)
}

// ReadFailure reads what AppendTo wrote.
func (r *Reader) ReadFailure() Failure {
	return Failure{Code: r.String(), Message: r.String(), Detail: r.Bytes()}
}

// remoteError is an error that came from another process.
type remoteError struct {
	message string
	cause   error // what was registered under its code, nil if nothing was
}

func (e *remoteError) Error() string { return e.message }
func (e *remoteError) Unwrap() error { return e.cause }
