package bulkhead_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"

	"github.com/seawall-go/seawall/bulkhead"
)

// Operations as runOps reads them.
const (
	opArrive = 0
	opHurry  = 16 // arrive with a deadline
	opEnd    = 26
	opCancel = 42
	opPass   = 48
	opResize = 61
	opSwitch = 63
)

// FuzzBulkhead runs any list of operations through a bulkhead and its naive reference.
func FuzzBulkhead(f *testing.F) {
	f.Add([]byte{opArrive, 0, opArrive, 0, opArrive, 0, opEnd, 0, opEnd, 0, opEnd, 0})
	f.Add([]byte{opResize, 3, opArrive, 0, opArrive, 0, opArrive, 0, opCancel, 0, opEnd, 0, opArrive, 0})
	f.Add([]byte{
		opArrive, 0, opArrive, 0, opHurry, 4, opArrive, 0, opPass, 5, opEnd, 1, opPass, 7, opPass, 7, opPass, 7,
	})
	f.Add([]byte{
		opResize, 9, opArrive, 0, opArrive, 0, opArrive, 0, opArrive, 0, opArrive, 0, opArrive, 0, // pace
		opPass, 4, opEnd, 0, opPass, 4, opEnd, 0, opPass, 4, opEnd, 0, opHurry, 1, opHurry, 29, opArrive, 0,
	})
	f.Add([]byte{ // a full queue, and others of all levels; then a heavy one, and one that may overtake it
		opArrive, 2, opArrive, 2, opArrive, 0, opArrive, 0, opArrive, 1, opArrive, 0, opArrive, 3, opArrive, 3, opEnd, 0,
		opEnd, 0, opEnd, 0, opEnd, 0, opArrive, 28, opArrive, 3, opEnd, 0, opEnd, 0,
	})
	f.Add([]byte{ // a standing queue, newest first
		opResize, 21, opArrive, 0, opArrive, 0, opPass, 5, opArrive, 0, opPass, 5, opEnd, 0, opArrive, 0, opArrive, 2, opPass, 4,
		opArrive, 0, opEnd, 0, opPass, 3, opArrive, 0, opEnd, 0, opArrive, 1, opEnd, 0,
	})
	f.Add([]byte{ // most is guaranteed to the last level
		opResize, 80, opArrive, 3, opArrive, 3, opArrive, 0, opArrive, 0, opArrive, 3, opArrive, 3, opEnd, 0, opEnd, 0, opEnd, 0,
		opArrive, 3, opArrive, 0, opEnd, 0, opEnd, 0,
	})
	for mode := range byte(4) {
		f.Add([]byte{
			opArrive, 0, opArrive, 0, opArrive, 0, opArrive, 0, opSwitch, 5 + mode, opArrive, 0, opArrive, 0,
			opArrive, 0, opArrive, 0, opArrive, 0, opArrive, 0, opSwitch, 0,
			opArrive, 0, opEnd, 1, opResize, 4, opEnd, 0,
		})
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		ops = ops[:min(len(ops), 1000)]
		synctest.Test(t, func(t *testing.T) {
			if err := runOps(t.Context(), ops); err != nil {
				t.Fatalf("%v\nshortest list: %v", err, shortest(t.Context(), ops))
			}
		})
	})
}

// FuzzConfig reads any JSON: what Validate lets through, New takes, and Config gives back.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"limit":3,"queue":{"limit":-1,"max_wait":5000000},"mode":"shadow"}`))
	f.Add([]byte(`{"limit":-9223372036854775808,"queue":{"limit":9223372036854775807,"max_wait":-1},"mode":"off"}`))
	f.Add([]byte(`{"queue":{"order":"adaptive_lifo","target":5000000,"interval":1},"shedding":"by_user"}`))
	f.Add([]byte(`{"shares":{"critical_plus":0.5,"critical":-1,"sheddable_plus":1e-9,"sheddable":0.49},"mode":"off"}`))
	f.Add([]byte(`{"shares":{"critical_plus":1e308,"critical":-1e308},"queue":{"order":"","limit":3}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var cfg bulkhead.Config
		if json.Unmarshal(text, &cfg) != nil || cfg.Validate() != nil {
			return
		}
		b := newBulkhead(cfg)
		resolved := b.Config()
		if err := resolved.Validate(); err != nil || !resolved.Equal(cfg) {
			t.Errorf("%+v resolved to %+v, %v", cfg, resolved, err)
		}
		if err := b.Update(resolved); err != nil || !same(b.Config(), resolved) {
			t.Errorf("%+v updated to %+v, %v", resolved, b.Config(), err)
		}
	})
}
