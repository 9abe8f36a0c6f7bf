package bench

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	NeighbourMain()
	goleak.VerifyTestMain(m)
}
