package span_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/cache"
	"github.com/seawall-go/seawall/degrade"
	"github.com/seawall-go/seawall/hedge"
	"github.com/seawall-go/seawall/internal/leaktest"
	"github.com/seawall-go/seawall/retry"
	"github.com/seawall-go/seawall/telemetry/span"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var errDown = errors.New("down")

// recorded is a span that keeps what is set.
type recorded struct {
	noop.Span
	attributes map[attribute.Key]string
	status     codes.Code
}

func (*recorded) IsRecording() bool                  { return true }
func (r *recorded) SetStatus(c codes.Code, _ string) { r.status = c }
func (r *recorded) SetAttributes(all ...attribute.KeyValue) {
	for _, a := range all {
		r.attributes[a.Key] = a.Value.String()
	}
}

func begin(t *testing.T, parent context.Context) (context.Context, *recorded) {
	t.Helper()
	r := &recorded{attributes: map[attribute.Key]string{}}
	ctx, recording := span.Begin(trace.ContextWithSpan(parent, r))
	if !recording || seawall.RecordOf(ctx) == nil {
		t.Fatal("the span records, and Begin has not noticed")
	}
	return ctx, r
}

func (r *recorded) want(t *testing.T, status codes.Code, pairs ...string) {
	t.Helper()
	want := map[attribute.Key]string{}
	for i := 0; i < len(pairs); i += 2 {
		want[attribute.Key(pairs[i])] = pairs[i+1]
	}
	if fmt.Sprint(want) != fmt.Sprint(r.attributes) || r.status != status {
		t.Errorf("the span has %v and status %v, want %v and %v", r.attributes, r.status, want, status)
	}
}

func TestSpanSaysWhatThePoliciesDid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := new(seawall.Registry)
		again := retry.New("again", retry.Config{Registry: registry})
		deadline, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		ctx, s := begin(t, seawall.WithAttempt(seawall.WithPriority(deadline, seawall.Sheddable), 2))
		tries := 0
		err := again.Do(ctx, func(context.Context) error {
			if tries++; tries == 1 {
				return errDown
			}
			return nil
		})
		span.Describe(ctx, err)
		if left := s.attributes["seawall.deadline.remaining"]; left == "" {
			t.Error("the time left is missing")
		}
		delete(s.attributes, "seawall.deadline.remaining")
		s.want(t, codes.Unset, "seawall.attempt", "2", "seawall.priority", "sheddable", "seawall.retry.count", "1")
	})
}

func TestRejectionIsAnErrorOfTheSpanAndAStaleAnswerIsNone(t *testing.T) {
	registry := new(seawall.Registry)
	full := bulkhead.New("stock", bulkhead.Config{Registry: registry, Mode: seawall.ForcedOpen})
	ctx, s := begin(t, t.Context())
	span.Describe(ctx, full.Do(ctx, func(context.Context) error { return nil }))
	s.want(t, codes.Error, "seawall.rejected_by", `bulkhead "stock"`, "seawall.reason", "forced")

	copies := degrade.NewFallback("copies", degrade.FallbackConfig{
		Registry: registry,
		Func:     degrade.StaleFunc(func(context.Context, error) (int, time.Duration, error) { return 1, 90 * time.Second, nil }),
	})
	ctx, s = begin(t, t.Context())
	_, err := seawall.Call(ctx, copies, func(context.Context) (int, error) { return 0, errDown })
	span.Describe(ctx, err)
	s.want(t, codes.Unset, "seawall.degrade.source", "stale", "seawall.stale.age", "90")

	none := degrade.NewFallback("none", degrade.FallbackConfig{Registry: registry, Func: degrade.Value(0)})
	ctx, s = begin(t, t.Context())
	_, err = seawall.Call(ctx, none, func(context.Context) (int, error) { return 0, errDown })
	span.Describe(ctx, err)
	s.want(t, codes.Unset, "seawall.degrade.source", "static")
}

// Each attribute of the documentation is set by something that really happens.
func TestEachDocumentedAttributeIsSet(t *testing.T) {
	source, err := os.ReadFile("span.go")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^//\t(seawall\.[a-z._]+) `).FindAllStringSubmatch(string(source), -1) {
		documented[m[1]] = true
	}
	synctest.Test(t, func(t *testing.T) {
		registry := new(seawall.Registry)
		registry.SetLogger(slog.New(slog.DiscardHandler))
		again := retry.New("again", retry.Config{Registry: registry})
		second := hedge.New("second", hedge.Config{Delay: time.Second, Registry: registry})
		gate := bulkhead.New("stock", bulkhead.Config{Registry: registry, Mode: seawall.ForcedOpen})
		prices := cache.New("prices", cache.Config[string, int]{MaxStale: time.Hour, Registry: registry})
		defer func() { _ = prices.Close(context.Background()) }()
		price := func(ctx context.Context, err error) error {
			_, err = prices.Get(ctx, "a", func(context.Context, string) (int, error) { return 1, err })
			return err
		}
		if err := price(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		prices.Expire(t.Context(), "a")
		deadline, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		parent := seawall.WithAttempt(seawall.WithPriority(deadline, seawall.Sheddable), 2)
		set := map[string]string{}
		for _, call := range []func(context.Context) error{
			func(ctx context.Context) error {
				tries := 0
				return again.Do(ctx, func(context.Context) error {
					if tries++; tries == 1 {
						return errDown
					}
					return nil
				})
			},
			func(ctx context.Context) error {
				var started atomic.Int64
				return second.Do(ctx, func(ctx context.Context) error {
					if started.Add(1) == 2 {
						return nil
					}
					<-ctx.Done()
					return ctx.Err()
				})
			},
			func(ctx context.Context) error { return gate.Do(ctx, func(context.Context) error { return nil }) },
			func(ctx context.Context) error { return price(ctx, errDown) },
		} {
			ctx, s := begin(t, parent)
			span.Describe(ctx, call(ctx))
			for key, value := range s.attributes {
				set[string(key)] = value
			}
		}
		want := map[string]string{
			"seawall.rejected_by": `bulkhead "stock"`, "seawall.reason": "forced", "seawall.attempt": "2", "seawall.retry.count": "1",
			"seawall.hedge.winner": "2", "seawall.degrade.source": "stale", "seawall.cache.result": "stale", "seawall.priority": "sheddable",
		}
		for key := range documented {
			if value, ok := want[key]; set[key] == "" || ok && set[key] != value {
				t.Errorf("%s is %q, want %q", key, set[key], value)
			}
			delete(set, key)
		}
		if len(documented) != 10 || len(set) > 0 {
			t.Errorf("%d attributes are documented, want 10; of the ones that are set these are not: %v", len(documented), set)
		}
	})
}

func TestCallWithoutARecordingSpanCostsNothing(t *testing.T) {
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		if inner, recording := span.Begin(ctx); recording || inner != ctx {
			t.Error("there is nothing to record")
		}
		span.Describe(ctx, errDown)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Several calls of one request: each span says what its own call did, and the request's record what all did.
func TestEachCallHasARecordOfItsOwnAndTheOuterOneHasAll(t *testing.T) {
	outer, record := seawall.WithRecord(t.Context())
	again := retry.New("again", retry.Config{Registry: new(seawall.Registry), Backoff: retry.Backoff{Base: time.Millisecond}})
	for want := range 3 {
		ctx, s := begin(t, outer)
		tries := 0
		err := again.Do(ctx, func(context.Context) error {
			if tries++; tries <= want {
				return errDown
			}
			return nil
		})
		span.Describe(ctx, err)
		if want == 0 {
			s.want(t, codes.Unset)
			continue
		}
		s.want(t, codes.Unset, "seawall.retry.count", fmt.Sprint(want))
	}
	if n := record.Facts().Retries; n != 3 {
		t.Errorf("the outer record has %d retries, want 3", n)
	}
}

// served is a span that knows its kind, as those of the SDK do.
type served struct {
	*recorded
	kind trace.SpanKind
}

func (s served) SpanKind() trace.SpanKind { return s.kind }

func TestCallLeavesTheSpanOfTheRequestThatIsServedAlone(t *testing.T) {
	for kind, want := range map[trace.SpanKind]bool{
		trace.SpanKindServer: false, trace.SpanKindConsumer: false, trace.SpanKindClient: true, trace.SpanKindInternal: true,
	} {
		ctx := trace.ContextWithSpan(t.Context(), served{&recorded{}, kind})
		inner, recording := span.BeginCall(ctx)
		if recording != want || (inner == ctx) == want {
			t.Errorf("%v: %t", kind, recording)
		}
		if _, recording := span.Begin(ctx); !recording {
			t.Errorf("%v: Begin does not record", kind)
		}
	}
}

func TestHostileNameIsCutAndClean(t *testing.T) {
	ctx, s := begin(t, t.Context())
	full := bulkhead.New("\xff"+string(make([]byte, 300)), bulkhead.Config{Registry: new(seawall.Registry), Mode: seawall.ForcedOpen})
	span.Describe(ctx, full.Do(ctx, func(context.Context) error { return nil }))
	if by := s.attributes["seawall.rejected_by"]; len(by) > 210 || !utf8.ValidString(by) {
		t.Errorf("%d bytes: %q", len(by), by)
	}
}

func ExampleBegin() {
	stock := bulkhead.New("stock", bulkhead.Config{})
	ctx, recording := span.Begin(context.Background()) // of a request that otelhttp has given a span
	err := stock.Do(ctx, func(context.Context) error { return nil })
	if recording {
		span.Describe(ctx, err)
	}
	fmt.Println(recording, err)
	// Output: false <nil>
}
