package event

import (
	"manta/bus"
)

// FailureOf returns an error as events tell it.
func FailureOf(err error) *Failure {
	if err == nil {
		return nil
	}
	return &Failure{Code: bus.ErrorCode(err), Message: bus.Clip(err.Error(), mostWords)}
}
