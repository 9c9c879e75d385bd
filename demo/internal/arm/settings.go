package arm

import (
	"fmt"
	"net/http"
	"reflect"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/demo/internal/gateway"
	"github.com/seawall-go/seawall/demo/internal/report"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/ratelimit"
	"github.com/seawall-go/seawall/retry"
)

// settings are those of the policies in force, with the defaults marked.
func (s *seawallStyle) settings() []report.Setting {
	var all []report.Setting
	for _, h := range s.servers {
		all = append(all, report.Setting{Of: h.String(), Name: "TimeLimit.FirstByte", Value: h.Config().TimeLimit.FirstByte.String()})
		all = append(all, admissionOf(h)...)
		all = append(all, quotasOf(h)...)
	}
	t := s.gateway.Transport()
	cfg, of := t.Config(), fmt.Sprintf("httpx %q, ", t.Name())
	all = append(all,
		report.Setting{Of: "customers' http.Client", Name: "Timeout", Value: patience.String()},
		report.Setting{Of: "seat maps", Name: "limit before the copy is taken", Value: gateway.ReadWithin.String()},
		report.Setting{Of: "seat maps", Name: "oldest copy", Value: gateway.StaleFor.String()},
		report.Setting{Of: "seat maps", Name: "oldest copy that is taken without asking, in a brownout", Value: gateway.YoungFor.String()},
		report.Setting{Of: of + "limits", Name: "Timeout", Value: cfg.Timeout.String()},
		report.Setting{Of: of + "limits", Name: "AttemptTimeout", Value: cfg.AttemptTimeout.String()},
	)
	// What a host gets, as it resolves its own defaults: the hosts themselves come with their first request.
	cfg.Breaker.Registry, cfg.Bulkhead.Registry = new(seawall.Registry), new(seawall.Registry)
	all = append(all, settingsOf(of+"retry", t.Retry().Config(), retry.New("", retry.Config{Registry: new(seawall.Registry)}).Config())...)
	all = append(all, settingsOf(of+"breaker of a host", breaker.New("", cfg.Breaker).Config(),
		breaker.New("", breaker.Config{Registry: new(seawall.Registry)}).Config())...)
	all = append(all, settingsOf(of+"bulkhead of a host", bulkhead.New("", cfg.Bulkhead).Config(),
		bulkhead.New("", bulkhead.Config{Registry: new(seawall.Registry)}).Config())...)
	cfg.Hedge.Registry, cfg.Hedge.Budget = new(seawall.Registry), t.Retry().Budget()
	all = append(all, settingsOf(of+"hedge of a host", hedge.New("", *cfg.Hedge).Config(),
		hedge.New("", hedge.Config{Registry: new(seawall.Registry)}).Config())...)
	all = append(all, settingsOf(s.gateway.Brownout().String(), s.gateway.Brownout().Config(),
		degrade.NewBrownout("", degrade.BrownoutConfig{Registry: new(seawall.Registry)}).Config())...)
	return append(all, settingsOf(s.holds.String(), s.holds.Config(),
		httpx.NewIdempotency("", httpx.IdempotencyConfig{Tenant: httpx.OneTenant, Registry: new(seawall.Registry)}).Config())...)
}

// admissionOf lists the settings of a server's limit, which is a fixed or an adaptive one.
func admissionOf(h *httpx.Handler) []report.Setting {
	of, inForce := "admission of "+h.String(), h.Config().Admission
	if inForce.Fixed.Limit > 0 {
		fixed := inForce.Fixed
		fixed.Registry = new(seawall.Registry)
		return settingsOf(of, bulkhead.New("", fixed).Config(), bulkhead.New("", bulkhead.Config{Registry: new(seawall.Registry)}).Config())
	}
	usual := httpx.NewHandler("", httpx.ServerConfig{Registry: new(seawall.Registry)}, http.NotFoundHandler()).Config().Admission
	return settingsOf(of, adaptive(inForce.Adaptive), adaptive(usual.Adaptive))
}

// quotasOf lists the settings of a server's quotas. Their Rate has no default.
func quotasOf(h *httpx.Handler) (all []report.Setting) {
	for _, q := range h.Config().Quotas {
		q.Limit.Registry = new(seawall.Registry)
		all = append(all, settingsOf("quota of "+h.String(), ratelimit.New("", q.Limit).Config(),
			ratelimit.New("", ratelimit.Config{Rate: ratelimit.Unlimited, Registry: new(seawall.Registry)}).Config())...)
	}
	return all
}

// adaptive returns the configuration of an adaptive limit as it is in force.
func adaptive(cfg bulkhead.AdaptiveConfig) bulkhead.AdaptiveConfig {
	cfg.Registry = new(seawall.Registry)
	return bulkhead.NewAdaptive("", cfg).Config()
}

// settingsOf lists the data of a configuration in force, usual being what the zero configuration resolves to.
func settingsOf[C any](of string, inForce, usual C) []report.Setting {
	return fields(nil, of, "", reflect.ValueOf(inForce), reflect.ValueOf(usual))
}

// fields appends the fields of a struct that are data, those of nested structs by their path.
func fields(to []report.Setting, of, prefix string, v, usual reflect.Value) []report.Setting {
	for i := range v.NumField() {
		name, field := prefix+v.Type().Field(i).Name, v.Field(i)
		switch field.Kind() {
		case reflect.Func, reflect.Pointer, reflect.Interface:
		case reflect.Struct:
			to = fields(to, of, name+".", field, usual.Field(i))
		default:
			to = append(to, report.Setting{
				Of: of, Name: name, Value: fmt.Sprint(field.Interface()), Default: field.Equal(usual.Field(i)),
			})
		}
	}
	return to
}
