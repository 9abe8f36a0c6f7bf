package event

import "manta/bus"

// failedCode is the code of a failure that nobody has registered one for, as plain NATS clients get it.
const failedCode = "failed"

// FailureOf returns an error as events tell it.
func FailureOf(err error) *Failure {
	if err == nil {
		return nil
	}
	code := bus.ErrorCode(err)
	if code == bus.UnknownCode {
		code = failedCode
	}
	return &Failure{Code: code, Message: bus.Clip(err.Error(), mostWords)}
}
