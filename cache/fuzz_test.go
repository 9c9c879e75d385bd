package cache_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seawall-go/seawall/cache"
)

// Whatever is in the second layer: it is what was written for this key, or a miss.
func FuzzPayloadIsWhatWasWrittenOrAMiss(f *testing.F) {
	whole := cache.Payload{
		Value: strings.Repeat("value ", 40), Tags: []string{"a", "päper"}, Validator: `"v1"`, TTL: time.Minute, Delta: time.Second,
		Wall: 90, Loaded: 100, Fresh: 200, Dead: 300, Key: "key",
	}
	for _, compress := range []int{0, 1} {
		whole.CompressOver = compress
		data, err := cache.EncodePayload(whole)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "key", false)
		f.Add(data, "other", false)
		f.Add(data[:len(data)-4], "key", true)
		f.Add(data[:len(data)/2], "key", true)
	}
	f.Add([]byte{}, "", false)
	f.Add([]byte{0xCA, 1, 1}, "", true)
	f.Fuzz(func(t *testing.T, data []byte, key string, sealed bool) {
		if sealed { // past the checksum
			data = cache.Seal(data)
		}
		p, err := cache.DecodePayload(data, key)
		if err != nil {
			if !reflect.DeepEqual(p, cache.Payload{Key: key}) {
				t.Errorf("an error with %+v", p)
			}
			return
		}
		again, err := cache.EncodePayload(p)
		if err != nil {
			t.Fatal(err)
		}
		q, err := cache.DecodePayload(again, key)
		if err != nil || !reflect.DeepEqual(p, q) {
			t.Errorf("%+v became %+v, %v", p, q, err)
		}
		if _, err := cache.DecodePayload(again, key+"x"); err == nil {
			t.Error("it is another key's as well")
		}
		expired, left, err := cache.ExpirePayload(again, p.Fresh)
		if err != nil || left != time.Duration(p.Dead-p.Fresh) || !bytes.Equal(expired, again) {
			t.Errorf("expired at its end it is another one: %v, %v", left, err)
		}
	})
}

func FuzzMessageIsWhatWasSentOrUnreadable(f *testing.F) {
	for kind := range uint8(9) {
		f.Add(cache.EncodeMessage(kind, "a", "", "ü"), false)
	}
	f.Add([]byte{0xCB, 1, 1}, true)
	f.Fuzz(func(t *testing.T, data []byte, sealed bool) {
		if sealed {
			data = cache.Seal(data)
		}
		again, err := cache.RecodeMessage(data)
		if err != nil {
			return
		}
		twice, err := cache.RecodeMessage(again)
		if err != nil || !bytes.Equal(again, twice) {
			t.Errorf("%x became %x, %v", again, twice, err)
		}
	})
}

func TestPayloadDamagedAnywhereIsAMiss(t *testing.T) {
	whole := cache.Payload{Value: "value", Tags: []string{"a"}, Loaded: 1, Fresh: 2, Dead: 3, Key: "key"}
	data, err := cache.EncodePayload(whole)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		for bit := range 8 {
			data[i] ^= 1 << bit
			if _, err := cache.DecodePayload(data, "key"); err == nil {
				t.Errorf("bit %d of byte %d does not matter", bit, i)
			}
			data[i] ^= 1 << bit
		}
	}
	if got, err := cache.DecodePayload(data, "key"); err != nil || got.Value != "value" {
		t.Errorf("undamaged it is %+v, %v", got, err)
	}
}
