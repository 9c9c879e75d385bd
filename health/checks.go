package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/metrics"
)

// SQL returns a check that pings a database: a *sql.DB, or anything else with its PingContext. It takes a connection of
// the pool for that, so a pool that has leaked dry fails it as well.
func SQL(db interface{ PingContext(context.Context) error }) func(context.Context) error {
	return db.PingContext
}

// TCP returns a check that connects to an address, such as "broker:4222", and closes the connection again. It proves that
// something listens, and no more.
func TCP(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// HTTP returns a check that gets a URL with a client, nil being http.DefaultClient. Any status below 400 passes. Give it a
// client without retries and breakers: the check is to see what is there.
//
// Do not point it at another service's readiness: that asks its dependencies too, and a failure travels through all who
// ask each other. Its liveness, or an address of its own for this, says enough.
func HTTP(client *http.Client, url string) func(context.Context) error {
	if client == nil {
		client = http.DefaultClient
	}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return errors.New("health: the URL is not valid") // the error would hold it, with its password
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection can be used again
		if resp.StatusCode >= http.StatusBadRequest {
			return fmt.Errorf("status %d", resp.StatusCode)
		}
		return nil
	}
}

// Disk returns a check that fails when the file system of a path has fewer bytes left for this user than minFree. On a
// system that cannot tell, it fails with an error that says so.
func Disk(path string, minFree uint64) func(context.Context) error {
	return func(context.Context) error {
		free, err := freeBytes(path)
		if err != nil {
			return fmt.Errorf("disk %s: %w", path, err)
		}
		if free < minFree {
			return fmt.Errorf("disk %s: %d bytes free, want %d", path, free, minFree)
		}
		return nil
	}
}

// Heap returns a check that fails when the live heap, as the last collection left it, is larger than maxBytes. Before the
// first collection it passes.
func Heap(maxBytes uint64) func(context.Context) error {
	return func(context.Context) error {
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(sample)
		if live := sample[0].Value.Uint64(); live > maxBytes {
			return fmt.Errorf("heap: %d bytes live, want at most %d", live, maxBytes)
		}
		return nil
	}
}
