// Command grpc shows a gRPC client and server with Seawall on both sides: what is repeated depends on what the methods
// say of themselves, a server that is full says so and when to come back, and a server that is down is left alone.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/breaker"
	"github.com/seawall-go/seawall/bulkhead"
	"github.com/seawall-go/seawall/examples/grpc/catalogpb"
	"github.com/seawall-go/seawall/grpcx"
	"github.com/seawall-go/seawall/retry"
)

func main() {
	seawall.DefaultRegistry().SetLogger(slog.New(slog.DiscardHandler)) // the program tells what happens by itself
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	shop := newCatalog()
	address, stop, err := serve(ctx, shop)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()

	// grpcx.ClientConfig{} would do. The program is to be over in a second, so it waits less; and it knows that the
	// server is on the same machine, and believes it when it says that it has refused a call.
	client := grpcx.NewClient("catalog", grpcx.ClientConfig{
		Retry:     retry.Config{Backoff: retry.Backoff{Base: 10 * time.Millisecond}, MaxRetryAfter: 100 * time.Millisecond},
		TrustPeer: grpcx.TrustLoopback,
	})
	conn, err := grpc.NewClient(address,
		append(client.DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	shows := show{out, shop, catalogpb.NewCatalogClient(conn)}
	return errors.Join(shows.repeats(ctx), shows.full(ctx), shows.down(ctx))
}

// serve runs the catalog's server, which handles one call at a time.
func serve(ctx context.Context, shop *catalog) (address string, stop func() error, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := grpc.NewServer(grpcx.ServerOptions("catalog", grpcx.ServerConfig{
		Admission: grpcx.AdmissionConfig{Fixed: bulkhead.Config{Limit: 1, Queue: bulkhead.Queue{Limit: bulkhead.NoQueue}}},
	})...)
	catalogpb.RegisterCatalogServer(server, shop)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	return listener.Addr().String(), func() error {
		server.GracefulStop()
		return <-served
	}, nil
}

// show is what the program shows, one after the other.
type show struct {
	out    io.Writer
	shop   *catalog
	client catalogpb.CatalogClient
}

// repeats makes one call of each kind while the server fails the first attempts.
func (s show) repeats(ctx context.Context) error {
	calls := []struct {
		what     string
		failures int64
		call     func(context.Context) error
	}{
		{"GetItem, nothing is wrong:", 0, s.get},
		{"GetItem, two failures:", 2, s.get},
		{"PutItem, which is idempotent, one failure:", 1, func(ctx context.Context) error {
			_, err := s.client.PutItem(ctx, &catalogpb.PutItemRequest{Item: &catalogpb.Item{Id: "2", Title: "Moby-Dick"}})
			return err
		}},
		{"OrderItem, one failure, which may have acted:", 1, s.order},
		{"ListItems, a failure before the first:", 1, s.list},
	}
	for _, c := range calls {
		before := s.shop.fail(c.failures)
		err := c.call(ctx)
		if _, err := fmt.Fprintf(s.out, "%-46s %v after %d call(s)\n", c.what, status.Code(err), s.shop.calls.Load()-before); err != nil {
			return err
		}
	}
	return nil
}

// full makes a call while the server's one slot is in use. The server has refused it, so even an order is repeated.
func (s show) full(ctx context.Context) error {
	s.shop.fail(0)
	release := s.shop.hold()
	held := make(chan error, 1)
	go func() { held <- s.get(ctx) }()
	<-s.shop.inside
	time.AfterFunc(50*time.Millisecond, release)
	ctx, record := seawall.WithRecord(ctx)
	err := s.order(ctx)
	facts := record.Facts()
	_, werr := fmt.Fprintf(s.out, "OrderItem, the server is full:                 %v after %d retry, told to wait at least a second: %v\n",
		status.Code(err), facts.Retries, facts.ServerDelay >= time.Second)
	return errors.Join(<-held, werr)
}

// down makes a hundred calls of a server that fails them all: after some the breaker answers in its place.
func (s show) down(ctx context.Context) error {
	before := s.shop.fail(1_000_000)
	refused := 0
	var rejection error
	for range 100 {
		if err := s.get(ctx); errors.Is(err, breaker.ErrOpen) {
			refused++
			rejection = err
		}
	}
	who, ok := errors.AsType[*seawall.RejectedError](rejection)
	if !ok {
		return errors.New("the breaker has not opened")
	}
	_, err := fmt.Fprintf(s.out, "100 calls of a server that is down:            %d reached it, %d were refused\n"+
		"why, and until when:                           %v, %s, retry in %v\n",
		s.shop.calls.Load()-before, refused, status.Code(rejection), who.Reason, who.RetryAfter().Round(time.Millisecond))
	return err
}

func (s show) get(ctx context.Context) error {
	_, err := s.client.GetItem(ctx, &catalogpb.GetItemRequest{Id: "1"})
	return err
}

func (s show) order(ctx context.Context) error {
	_, err := s.client.OrderItem(ctx, &catalogpb.OrderItemRequest{Id: "1"})
	return err
}

func (s show) list(ctx context.Context) error {
	items, err := s.client.ListItems(ctx, &catalogpb.ListItemsRequest{})
	for err == nil {
		_, err = items.Recv()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

var errNotNow = status.Error(codes.Unavailable, "not now")
