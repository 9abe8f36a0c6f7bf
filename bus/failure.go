package bus

import (
	"errors"
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
	sentinels map[string]error
	decoders  map[string]func(Failure) error
}

// RegisterError gives a sentinel error the code by which other processes recognise it, and returns it. Two errors with
// one code are a programming error: it panics.
func RegisterError(code string, sentinel error) error {
	codes.Lock()
	defer codes.Unlock()
	if codes.sentinels == nil {
		codes.sentinels = make(map[string]error)
	}
	if old, taken := codes.sentinels[code]; taken {
		panic("bus: error code " + code + " is registered twice: for " + old.Error() + " and for " + sentinel.Error())
	}
	codes.sentinels[code] = sentinel
	return sentinel
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
	return Failure{Code: ErrorCode(err), Message: err.Error()}
}

// ErrorCode returns the code of the registered sentinel that err is, or UnknownCode. Of several that it wraps, the outermost
// and then the first counts.
func ErrorCode(err error) string {
	codes.RLock()
	defer codes.RUnlock()
	for _, e := range unwrapped(err) {
		for code, sentinel := range codes.sentinels {
			if e == sentinel { //nolint:errorlint // unwrapped has taken the chain apart
				return code
			}
		}
	}
	return UnknownCode
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

// Err turns the travelling form back into an error: errors.Is finds the registered sentinel.
func (f Failure) Err() error {
	codes.RLock()
	defer codes.RUnlock()
	if decode, ok := codes.decoders[f.Code]; ok {
		return decode(f)
	}
	return &remoteError{message: f.Message, sentinel: codes.sentinels[f.Code]}
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
	message  string
	sentinel error
}

func (e *remoteError) Error() string { return e.message }
func (e *remoteError) Unwrap() error { return e.sentinel }

// Sentinel returns the error that was registered under a code, nil if none was.
func Sentinel(code string) error {
	codes.RLock()
	defer codes.RUnlock()
	return codes.sentinels[code]
}
