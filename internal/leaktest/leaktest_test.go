package leaktest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestWaitFindsAGoroutineThatStays(t *testing.T) {
	stop := make(chan struct{})
	go func() { <-stop }()
	left := leaktest.Wait(10 * time.Millisecond)
	close(stop)
	if len(left) != 1 || !strings.Contains(left[0], "TestWaitFindsAGoroutineThatStays") {
		t.Errorf("found %q", left)
	}
}

func TestWaitLetsAGoroutineEnd(t *testing.T) {
	stop := make(chan struct{})
	go func() { <-stop }()
	time.AfterFunc(20*time.Millisecond, func() { close(stop) })
	if left := leaktest.Wait(time.Minute); len(left) != 0 {
		t.Errorf("found %q", left)
	}
}
