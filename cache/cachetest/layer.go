package cachetest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seawall-go/seawall/cache"
)

// Layer runs the tests that every [cache.Layer] must pass. open gives one that is empty, and is the same for all who use
// it. The tests use keys of any bytes and values of up to a megabyte, and wait for an expiry of 100 ms.
func Layer(t *testing.T, open func(t *testing.T) cache.Layer) {
	t.Run("GivesBackWhatWasSet", func(t *testing.T) { layerGivesBack(t, open(t)) })
	t.Run("ForgetsAfterItsTime", func(t *testing.T) { layerForgets(t, open(t)) })
	t.Run("DeletesOneKeyOnly", func(t *testing.T) { layerDeletes(t, open(t)) })
	t.Run("SharesNoBytes", func(t *testing.T) { layerSharesNoBytes(t, open(t)) })
	t.Run("HeedsItsContext", func(t *testing.T) { layerHeedsItsContext(t, open(t)) })
	t.Run("IsSafeForConcurrentUse", func(t *testing.T) { layerIsSafe(t, open(t)) })
}

func layerGivesBack(t *testing.T, l cache.Layer) {
	if data, found, err := l.Get(t.Context(), "nothing"); found || err != nil || len(data) > 0 {
		t.Errorf("a key that was not set is %q, %t, %v", data, found, err)
	}
	values := map[string][]byte{
		"plain":           []byte("value"),
		"empty":           {},
		"bytes \x00\xff ": {0, 1, 2, 0xff, 0, '\r', '\n'},
		"päth:/with*glob": []byte("x"),
		"large":           bytes.Repeat([]byte("0123456789abcdef"), 1<<16),
	}
	for key, value := range values {
		set(t, l, key, value)
	}
	for key, value := range values {
		wantData(t, l, key, value)
	}
	set(t, l, "plain", []byte("other"))
	wantData(t, l, "plain", []byte("other"))
}

func layerForgets(t *testing.T, l cache.Layer) {
	if err := l.Set(t.Context(), "short", []byte("1"), 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	set(t, l, "long", []byte("2"))
	eventually(t, "the key to expire", func() bool {
		_, found, err := l.Get(t.Context(), "short")
		return !found && err == nil
	})
	wantData(t, l, "long", []byte("2"))
}

func layerDeletes(t *testing.T, l cache.Layer) {
	set(t, l, "a", []byte("1"))
	set(t, l, "ab", []byte("2"))
	for range 2 { // a key that is not there is no error
		if err := l.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	if _, found, err := l.Get(t.Context(), "a"); found || err != nil {
		t.Errorf("a deleted key is there: %t, %v", found, err)
	}
	wantData(t, l, "ab", []byte("2"))
}

func layerSharesNoBytes(t *testing.T, l cache.Layer) {
	data := []byte("value")
	set(t, l, "a", data)
	data[0] = 'V'
	got, _, err := l.Get(t.Context(), "a")
	if err != nil || string(got) != "value" {
		t.Fatalf("what was set is %q, %v", got, err)
	}
	got[0] = 'V'
	wantData(t, l, "a", []byte("value"))
}

func layerHeedsItsContext(t *testing.T, l cache.Layer) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := l.Get(ctx, "a"); err == nil {
		t.Error("Get with a context that is done gives no error")
	}
	if err := l.Set(ctx, "a", []byte("1"), time.Minute); err == nil {
		t.Error("Set with a context that is done gives no error")
	}
	if err := l.Delete(ctx, "a"); err == nil {
		t.Error("Delete with a context that is done gives no error")
	}
}

func layerIsSafe(t *testing.T, l cache.Layer) {
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 50 {
				key, value := fmt.Sprint("key", i%5), fmt.Appendf(nil, "%d of %d", i, g)
				if err := l.Set(t.Context(), key, value, time.Minute); err != nil {
					t.Error(err)
				}
				if data, found, err := l.Get(t.Context(), key); err != nil || found && !bytes.Contains(data, []byte(" of ")) {
					t.Errorf("%s is %q, %v", key, data, err)
				}
				if i%7 == 0 {
					if err := l.Delete(t.Context(), key); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
}

func set(t *testing.T, l cache.Layer, key string, data []byte) {
	t.Helper()
	if err := l.Set(t.Context(), key, data, time.Minute); err != nil {
		t.Fatalf("Set(%q): %v", key, err)
	}
}

func wantData(t *testing.T, l cache.Layer, key string, want []byte) {
	t.Helper()
	if data, found, err := l.Get(t.Context(), key); err != nil || !found || !bytes.Equal(data, want) {
		t.Errorf("%q is %d bytes, %t, %v, want %d bytes that were set", key, len(data), found, err, len(want))
	}
}

// eventually waits until something has become true on the other side of a network.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 10s for %s", what)
		}
	}
}
