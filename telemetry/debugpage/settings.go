package debugpage

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/health"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/timeout"
)

// setting is one field of a configuration that is in force.
type setting struct {
	Field   string `json:"field"` // as it is in a policy file
	Value   string `json:"value"`
	Default bool   `json:"default"`
}

// settingsOf returns the data of a member's Config, nil if it has none.
func settingsOf(m seawall.Member) []setting {
	method := reflect.ValueOf(m).MethodByName("Config")
	if !method.IsValid() || method.Type().NumIn() != 0 || method.Type().NumOut() != 1 {
		return nil
	}
	cfg := method.Call(nil)[0]
	if cfg.Kind() != reflect.Struct {
		return nil
	}
	byDefault := map[string]string{}
	if d, ok := defaultsOf(cfg.Interface()); ok {
		for _, s := range leaves("", reflect.ValueOf(d)) {
			byDefault[s.Field] = s.Value
		}
	}
	all := leaves("", cfg)
	for i, s := range all {
		d, known := byDefault[s.Field]
		all[i].Default = known && d == s.Value
	}
	return all
}

// defaultsOf returns what a Config is if nothing is set in it.
func defaultsOf(cfg any) (any, bool) {
	nowhere := new(seawall.Registry).Detached()
	switch cfg.(type) {
	case breaker.Config:
		return breaker.New("", breaker.Config{Registry: nowhere}).Config(), true
	case bulkhead.Config:
		return bulkhead.New("", bulkhead.Config{Registry: nowhere}).Config(), true
	case bulkhead.AdaptiveConfig:
		return bulkhead.NewAdaptive("", bulkhead.AdaptiveConfig{Registry: nowhere}).Config(), true
	case retry.Config:
		return retry.New("", retry.Config{Registry: nowhere}).Config(), true
	case hedge.Config:
		return hedge.New("", hedge.Config{Registry: nowhere}).Config(), true
	case timeout.Config:
		return timeout.New("", timeout.Config{Registry: nowhere}).Config(), true
	case ratelimit.ThrottleConfig:
		return ratelimit.NewThrottle("", ratelimit.ThrottleConfig{Registry: nowhere}).Config(), true
	case ratelimit.Config: // a rate has no default
		return ratelimit.New("", ratelimit.Config{Rate: 1, Registry: nowhere}).Config(), true
	case degrade.GatherConfig:
		return degrade.NewGather("", degrade.GatherConfig{Registry: nowhere}).Config(), true
	case health.Config:
		return health.New("", health.Config{Registry: nowhere}).Config(), true
	}
	return nil, false
}

// leaves returns the fields that have a name in files, those of nested structs as window.time.
func leaves(prefix string, v reflect.Value) (all []setting) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case !field.IsExported() || name == "-":
		case field.Type.Kind() == reflect.Struct:
			inner := prefix
			if name != "" {
				inner += name + "."
			}
			all = append(all, leaves(inner, v.Field(i))...)
		case name != "":
			all = append(all, setting{Field: prefix + name, Value: text(v.Field(i))})
		}
	}
	return all
}

// text writes a value as it is written in a file.
func text(v reflect.Value) string {
	if d, ok := reflect.TypeAssert[time.Duration](v); ok && d == -1 {
		return "off"
	}
	return fmt.Sprint(v.Interface())
}
