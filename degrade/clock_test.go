package degrade_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/degrade"
)

// In a testing/synctest bubble the clock begins anew in the year 2000. A brownout that was made outside did not read its
// signal again for 26 years.
func TestBrownoutMadeOutsideOfABubbleReadsItsSignalInIt(t *testing.T) {
	t.Parallel()
	load := 0.0
	b := degrade.NewBrownout("global", degrade.BrownoutConfig{Signal: func() float64 { return load }, Registry: quiet()})
	_ = b.Level()
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			for _, load = range []float64{1, 0} {
				for range 120 {
					_ = b.Level()
					time.Sleep(time.Second)
				}
				if got := b.Level(); (got == degrade.Full) != (load == 0) {
					t.Errorf("level %v under a load of %v", got, load)
				}
			}
			time.Sleep(time.Hour)
			_ = b.Level()
		})
	}
}
