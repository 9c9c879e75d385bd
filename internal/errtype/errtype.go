// Package errtype sorts errors for events, where their texts must not go: a text may hold what is nobody's business, and
// alerts cannot be made of it. All events use the same closed list; telemetry's documentation has it for users.
package errtype

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"github.com/seawall-go/seawall"
)

// The types of errors.
const (
	Panic    = "panic"    // the operation panicked
	Timeout  = "timeout"  // a limit of time or a deadline has passed
	Rejected = "rejected" // a gate of this library did not let the call in
	Canceled = "canceled" // the caller left
	Overload = "overload" // the dependency asked for less
	Network  = "network"  // the connection or the name failed
	Status   = "status"   // an answer that says so, such as HTTP 503 or gRPC's UNAVAILABLE, with an error or without
	Other    = "other"    // anything else
)

// All returns the list.
func All() []string {
	return []string{Panic, Timeout, Rejected, Canceled, Overload, Network, Status, Other}
}

// Of sorts an error by itself, and by the outcome that it was judged to be. An error that is several things is the first
// of them in the list. nil is Status.
func Of(err error, judged seawall.Outcome) string {
	if err == nil {
		return Status
	}
	if _, ok := errors.AsType[*seawall.AttemptPanic](err); ok || errors.Is(err, seawall.ErrAborted) {
		return Panic
	}
	if t, ok := errors.AsType[timeouter](err); ok && t.Timeout() {
		return Timeout
	}
	if errors.Is(err, seawall.ErrRejected) {
		return Rejected
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, seawall.ErrCanceled) {
		return Canceled
	}
	if judged == seawall.Overload {
		return Overload
	}
	if _, ok := errors.AsType[netError](err); ok {
		return Network
	}
	if _, ok := errors.AsType[statusCoder](err); ok || hasGRPCStatus(err) {
		return Status
	}
	return Other
}

// statusCoder is an error that stands for an answer which says one, such as httpx's for HTTP 503.
type statusCoder interface {
	error
	StatusCode() int
}

// hasGRPCStatus reports whether an error is a status of gRPC, as package status of grpc-go knows it: by a method that
// returns a type of gRPC's, which a primitive must not compile. It is asked for events only, which are few.
func hasGRPCStatus(err error) bool {
	if err == nil {
		return false
	}
	if _, ok := reflect.TypeOf(err).MethodByName("GRPCStatus"); ok {
		return true
	}
	switch wrapper := err.(type) { //nolint:errorlint // this is the walk
	case interface{ Unwrap() error }:
		return hasGRPCStatus(wrapper.Unwrap())
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(wrapper.Unwrap(), hasGRPCStatus)
	}
	return false
}

type timeouter interface {
	error
	Timeout() bool
}

// netError is net.Error, which is implemented by the errors of package net, net/url and syscall. A primitive must not
// compile package net for it.
type netError interface {
	timeouter
	Temporary() bool
}
