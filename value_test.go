package seawall_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seawall-go/seawall"
)

func one(context.Context) (int, error) { return 1, nil }

// passing are policies of all roles that let a success through.
func passing() map[string]seawall.Policy {
	return map[string]seawall.Policy{
		"gate":     &gate{},
		"scope":    &scope{},
		"repeater": &repeater{attempts: 3},
		"racer":    &racer{attempts: 1},
		"replacer": &replacer{value: 7},
		"custom":   policy(func(ctx context.Context, op func(context.Context) error) error { return op(ctx) }),
		"chain":    seawall.Chain(),
	}
}

func TestCallReturnsTheValueThroughEveryRole(t *testing.T) {
	var all []seawall.Policy
	for name, p := range passing() {
		if v, err := seawall.Call(t.Context(), p, one); v != 1 || err != nil {
			t.Errorf("%s: got %v, %v", name, v, err)
		}
		all = append(all, p)
	}
	if v, err := seawall.Call(t.Context(), seawall.Chain(all...), one); v != 1 || err != nil {
		t.Errorf("all together: got %v, %v", v, err)
	}
}

// Who gets an error may still want what came with it: a response with a status, say.
func TestCallReturnsTheValueThatCameWithTheError(t *testing.T) {
	op := func(context.Context) (string, error) { return "503", errDown }
	policies := passing()
	policies["replacer"] = &replacer{err: func(err error) error { return err }}
	for name, p := range policies {
		if v, err := seawall.Call(t.Context(), p, op); v != "503" || !errors.Is(err, errDown) {
			t.Errorf("%s: got %q, %v", name, v, err)
		}
	}
}

func TestCallReturnsZeroWhenOpDidNotRun(t *testing.T) {
	g := &gate{}
	g.full.Store(true)
	v, err := seawall.Call(t.Context(), seawall.Chain(&repeater{attempts: 2}, g), func(context.Context) (int, error) {
		t.Error("op ran")
		return 1, nil
	})
	if v != 0 || !errors.Is(err, seawall.ErrRejected) {
		t.Errorf("got %v, %v", v, err)
	}
}

// replaced runs an operation that fails under a replacer that gives value.
func replaced[T any](t *testing.T, value any) (T, error) {
	t.Helper()
	return seawall.Call(t.Context(), &replacer{value: value}, func(context.Context) (v T, err error) { return v, errDown })
}

func TestReplacementHasTheTypeOfTheResult(t *testing.T) {
	if v, err := replaced[int](t, 5); v != 5 || err != nil {
		t.Errorf("int: %v, %v", v, err)
	}
	if v, err := replaced[any](t, 5); v != 5 || err != nil {
		t.Errorf("int for an any: %v, %v", v, err)
	}
	if v, err := replaced[any](t, nil); v != nil || err != nil {
		t.Errorf("nil for an any: %v, %v", v, err)
	}
	if v, err := replaced[fmt.Stringer](t, nil); v != nil || err != nil {
		t.Errorf("nil for an interface: %v, %v", v, err)
	}
	if v, err := replaced[fmt.Stringer](t, seawall.Off); v != seawall.Off || err != nil {
		t.Errorf("an implementation: %v, %v", v, err)
	}
	if v, err := replaced[error](t, errFull); v != errFull || err != nil { //nolint:errorlint // a value
		t.Errorf("an error as the value: %v, %v", v, err)
	}
	if v, err := replaced[*gate](t, (*gate)(nil)); v != nil || err != nil {
		t.Errorf("a nil pointer: %v, %v", v, err)
	}
	if v, err := replaced[[]int](t, []int(nil)); v != nil || err != nil {
		t.Errorf("a nil slice: %v, %v", v, err)
	}
	type named struct{}
	wrong := func(got any, err error, text string) {
		t.Helper()
		if !errors.Is(err, seawall.ErrReplacement) || !errors.Is(err, errDown) {
			t.Errorf("got %v, %v", got, err)
		}
		if err != nil && !strings.Contains(err.Error(), text) {
			t.Errorf("the text is %q, want %q in it", err, text)
		}
	}
	v1, err := replaced[int](t, "5")
	wrong(v1, err, "got string, want int")
	v2, err := replaced[int](t, int64(5))
	wrong(v2, err, "got int64, want int")
	v3, err := replaced[*gate](t, nil)
	wrong(v3, err, "got <nil>, want *seawall_test.gate")
	v4, err := replaced[struct{}](t, named{})
	wrong(v4, err, "got seawall_test.named, want struct {}")
	v5, err := replaced[fmt.Stringer](t, 5)
	wrong(v5, err, "got int, want fmt.Stringer")
}

func TestReplacedErrorUnderPlainDoIsNil(t *testing.T) {
	for _, value := range []any{nil, 5, "text", struct{}{}} {
		if err := seawall.Chain(&replacer{value: value}).Do(t.Context(), fail); err != nil {
			t.Errorf("replaced by %v: %v", value, err)
		}
	}
	if err := (&replacer{err: func(error) error { return errFull }}).Do(t.Context(), fail); err != errFull { //nolint:errorlint // the very one
		t.Errorf("got %v", err)
	}
}

func TestReplacerIsNotAskedAboutASuccess(t *testing.T) {
	tr := &trace{}
	if v, err := seawall.Call(t.Context(), &replacer{trace: tr, value: 7}, one); v != 1 || err != nil {
		t.Errorf("got %v, %v", v, err)
	}
	tr.want(t)
}
