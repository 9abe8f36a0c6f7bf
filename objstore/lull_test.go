package objstore_test

import (
	"testing"
	"time"

	"manta/node/nodetest"
)

func TestAProcessThatDoesNothingLetsGoOfWhatItHasDropped(t *testing.T) {
	nodetest.Virtual(t, func(t *testing.T) {
		c, bucket := start(t, 1)
		putAndDrop(t, c.Context(0))
		time.Sleep(2 * time.Minute) // virtual
		if used := bucket.usage(); used > 0 {
			t.Errorf("%d bytes are in the bucket after two minutes without a collection", used)
		}
	})
}
