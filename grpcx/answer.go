package grpcx

import (
	"context"
	"net"
	"reflect"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"
)

// answer is what an attempt of a unary call brings. grpc-go writes to it while the attempt runs, and only then.
type answer struct {
	reply           any
	header, trailer metadata.MD
	peer            peer.Peer
	reached         bool // the attempt's options have reached grpc-go itself
	waiting         bool // for a connection, when the limit of the attempt came
}

// noPeer is in the place of the peer until a stream has been opened to one.
var noPeer net.Addr = noAddr{}

type noAddr struct{}

func (noAddr) Network() string { return "none" }
func (noAddr) String() string  { return "none" }

// begin makes an answer ready for an attempt.
func (a *answer) begin() {
	a.header, a.trailer, a.reached, a.waiting = nil, nil, false, false
	a.peer = peer.Peer{Addr: noPeer}
}

// finished is told by grpc-go that the attempt is over. What grpc-go has not written by then has not happened. Where an
// interceptor inside of ours does not pass the options on, it is never called, and nothing is known.
func (a *answer) finished(error) { a.reached = true }

// unsent reports whether it is certain that nothing of the attempt went out. grpc-go tells the peer of each call for which
// a connection has taken a stream, and of no other one; nothing is written before that. (A stats handler could tell a
// header that went out from a message, which is rarely different, and costs each call a dozen allocations.)
func (a *answer) unsent() bool { return a.reached && a.peer.Addr == noPeer }

// withPeer returns a context that tells the peer, if there was one.
func (a *answer) withPeer(ctx context.Context) context.Context {
	if a.peer.Addr == noPeer {
		return ctx
	}
	return peer.NewContext(ctx, &a.peer)
}

// leave gives the caller what the attempt has brought beside its reply.
func (a *answer) leave(r *results) {
	for _, md := range r.headers {
		*md = a.header
	}
	for _, md := range r.trailers {
		*md = a.trailer
	}
	if a.peer.Addr == noPeer || a.peer.Addr == nil {
		return
	}
	for _, p := range r.peers {
		*p = a.peer
	}
}

// replaceable reports whether there can be another reply of the same kind.
func replaceable(reply any) bool {
	v := reflect.ValueOf(reply)
	return v.Kind() == reflect.Pointer && !v.IsNil()
}

// makerOf returns what makes empty replies of the same kind. That does not look at the reply, which is the caller's again when
// an attempt that has lost begins late.
func makerOf(reply any) func() any {
	if m, ok := reply.(proto.Message); ok {
		kind := m.ProtoReflect().Type()
		return func() any { return kind.New().Interface() }
	}
	kind := reflect.TypeOf(reply).Elem()
	return func() any { return reflect.New(kind).Interface() }
}

// reset empties a reply into which an attempt may have read half of an answer.
func reset(reply any) {
	if m, ok := reply.(proto.Message); ok {
		proto.Reset(m)
	} else if replaceable(reply) {
		reflect.ValueOf(reply).Elem().SetZero()
	}
}

// copyReply gives the caller the reply of the attempt that won.
func copyReply(to, from any) {
	if m, ok := to.(proto.Message); ok {
		proto.Reset(m)
		proto.Merge(m, from.(proto.Message))
		return
	}
	reflect.ValueOf(to).Elem().Set(reflect.ValueOf(from).Elem())
}
