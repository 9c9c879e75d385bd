package seawall

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// operation is what runs at the end of a walk, with what the walk has to know about its result type. The
// implementations are plain conversions of what the caller gave, so that no closure is made for them.
type operation[T any] interface {
	call(ctx context.Context) (T, error)
	discard(T)
	// accept takes the value of a Replacer.
	accept(value any) (T, error)
}

// errOp has no result: whatever replaces its error does.
type errOp func(context.Context) error

func (op errOp) call(ctx context.Context) (struct{}, error) { return struct{}{}, op(ctx) }
func (errOp) discard(struct{})                              {}
func (errOp) accept(any) (struct{}, error)                  { return struct{}{}, nil }

// valueOp has a result that is closed if it can be and is not returned.
type valueOp[T any] func(context.Context) (T, error)

func (op valueOp[T]) call(ctx context.Context) (T, error) { return op(ctx) }
func (valueOp[T]) accept(value any) (T, error)            { return accept[T](value) }

func (valueOp[T]) discard(v T) {
	if isZero(&v) {
		return
	}
	if c, ok := any(v).(io.Closer); ok && !isNil(c) {
		_ = c.Close() // nobody is left who could act on the error
	}
}

// discardOp has a result that its own function takes care of.
type discardOp[T any] struct {
	op   func(context.Context) (T, error)
	drop func(T)
}

func (op discardOp[T]) call(ctx context.Context) (T, error) { return op.op(ctx) }
func (discardOp[T]) accept(value any) (T, error)            { return accept[T](value) }

func (op discardOp[T]) discard(v T) {
	if !isZero(&v) {
		op.drop(v)
	}
}

// wholeOp is the user's own kind.
type wholeOp[T any, O Operation[T]] struct{ op O }

func (op wholeOp[T, O]) call(ctx context.Context) (T, error) { return op.op.Call(ctx) }
func (wholeOp[T, O]) accept(value any) (T, error)            { return accept[T](value) }

func (op wholeOp[T, O]) discard(v T) {
	if !isZero(&v) {
		op.op.Discard(v)
	}
}

// ErrReplacement is matched by the error of [Call] when a [Replacer] gave a value of another type than the operation's.
var ErrReplacement = errors.New("seawall: replacement has the wrong type")

func accept[T any](value any) (T, error) {
	v, ok := value.(T)
	if ok || value == nil && reflect.TypeFor[T]().Kind() == reflect.Interface {
		return v, nil
	}
	return v, fmt.Errorf("%w: got %T, want %v", ErrReplacement, value, reflect.TypeFor[T]())
}

// isZero reports whether there is nothing to discard: an attempt that was rejected, or that failed, has the zero T.
func isZero[T any](v *T) bool { return reflect.ValueOf(v).Elem().IsZero() }

// isNil reports whether an interface holds a nil pointer, map or the like, on which a method may not be callable.
func isNil(v any) bool {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Chan, reflect.Func, reflect.Interface:
		return r.IsNil()
	default:
		return false
	}
}
