package ratelimit_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"

	"github.com/seawall-go/seawall/ratelimit"
)

// Operations as runOps reads them.
const (
	opArrive    = 0
	opHurry     = 20 // arrive with a deadline
	opEnd       = 28
	opEndUnmade = 36
	opCancel    = 42
	opPass      = 48
	opUpdate    = 60
	opSwitch    = 62
)

// FuzzLimiter runs any list of operations through a limiter and its naive reference.
func FuzzLimiter(f *testing.F) {
	f.Add([]byte{opArrive, 0, opArrive, 130, opArrive, 0, opArrive, 0, opPass, 125, opEnd, 0, opEndUnmade, 0})
	f.Add([]byte{opArrive, 131, opArrive, 131, opHurry, 90, opCancel, 0, opPass, 200, opPass, 200})
	f.Add([]byte{opArrive, 131, opArrive, 0, opArrive, 129, opUpdate, 15, opPass, 60, opUpdate, 81, opPass, 255})
	for mode := range byte(4) {
		f.Add([]byte{opArrive, 131, opArrive, 0, opArrive, 0, opSwitch, 5 + mode, opArrive, 0, opArrive, 129, opSwitch, 0, opPass, 255})
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		ops = ops[:min(len(ops), 600)]
		synctest.Test(t, func(t *testing.T) {
			if err := runOps(t.Context(), ops); err != nil {
				t.Fatalf("%v\nshortest list: %v", err, shortest(t.Context(), ops))
			}
		})
	})
}

// FuzzConfig reads any JSON: what Validate lets through, New takes, and Config gives back.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"rate":1}`))
	f.Add([]byte(`{"rate":-1,"burst":9,"max_wait":-1,"max_waiting":5,"mode":"shadow","k":3}`))
	f.Add([]byte(`{"rate":1e400,"burst":9223372036854775807,"max_wait":-9223372036854775808,"mode":"off"}`))
	f.Add([]byte(`{"k":1.5,"window":60000000000,"min_requests":1,"max_reject":1,"evidence":"overload_only"}`))
	f.Add([]byte(`{"limiter":{"rate":5},"max_keys":3}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var cfg ratelimit.Config
		if json.Unmarshal(text, &cfg) == nil && cfg.Validate() == nil {
			l := newLimiter(cfg)
			resolved := l.Config()
			if err := l.Update(resolved); err != nil || !resolved.Equal(cfg) || !l.Config().Equal(resolved) {
				t.Errorf("%+v resolved to %+v, %v", cfg, resolved, err)
			}
		}
		var throttle ratelimit.ThrottleConfig
		if json.Unmarshal(text, &throttle) == nil && throttle.Validate() == nil {
			th := newThrottle(throttle)
			resolved := th.Config()
			if err := th.Update(resolved); err != nil || !resolved.Equal(throttle) || !th.Config().Equal(resolved) {
				t.Errorf("%+v resolved to %+v, %v", throttle, resolved, err)
			}
		}
		var group ratelimit.GroupConfig[int]
		if json.Unmarshal(text, &group) == nil && group.Validate() == nil {
			g := newGroup(group)
			resolved := g.Config()
			if err := g.Update(resolved); err != nil || !resolved.Equal(group) || !g.Config().Equal(resolved) {
				t.Errorf("%+v resolved to %+v, %v", group, resolved, err)
			}
		}
	})
}
