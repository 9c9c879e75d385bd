package httpx_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/seawall-go/seawall/httpx"
)

// FuzzRequestBody runs a list of what attempts and transports may do with a body that can only be streamed, in any order,
// beside a model of a few variables.
func FuzzRequestBody(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 1, 2})
	f.Add([]byte{0, 3, 0, 1, 2, 9, 10})
	f.Add([]byte{0, 2, 3, 0, 9, 10, 1, 2})
	f.Fuzz(func(t *testing.T, ops []byte) {
		body := newCountedBody("0123456789")
		req := &http.Request{Body: body}
		b := httpx.NewRequestBody(req)
		var (
			leases  []io.ReadCloser
			current = -1 // the lease that has the body; -1: nobody
			read    int  // bytes
			touched bool
		)
		lease := func(op byte) int { return int(op>>3) % len(leases) }
		for _, op := range ops {
			switch op % 8 {
			case 0: // the next attempt, which begins only when the one before has been taken back
				if current >= 0 {
					continue
				}
				l, err := b.Lend(req)
				if err != nil {
					t.Fatal(err)
				}
				leases = append(leases, l)
				current = len(leases) - 1
			case 1, 4: // a transport reads
				if len(leases) == 0 || touched && body.closes.Load() > 0 {
					continue
				}
				n, err := leases[lease(op)].Read(make([]byte, 1))
				switch {
				case lease(op) != current:
					if n != 0 || !errors.Is(err, httpx.ErrTakenBack) {
						t.Fatalf("a stale lease read %d bytes, %v", n, err)
					}
				default:
					touched = true
					read += n
				}
			case 2: // a transport closes
				if len(leases) > 0 {
					if err := leases[lease(op)].Close(); err != nil {
						t.Fatal(err)
					}
					if n := body.closes.Load(); lease(op) != current && !touched && n != 0 {
						t.Fatalf("a stale lease closed the body")
					}
				}
			case 3: // the attempt came to nothing
				if back := b.TakeBack(); back == touched {
					t.Fatalf("taken back: %v, touched: %v", back, touched)
				} else if back {
					current = -1
				}
			}
			if n := body.closes.Load(); n > 1 || n == 1 && !touched {
				t.Fatalf("closed %d times, touched %v", n, touched)
			}
		}
		b.Finish()
		if current >= 0 {
			leases[current].Close()
		}
		if n := body.closes.Load(); n != 1 {
			t.Fatalf("closed %d times in the end", n)
		}
		if rest, _ := io.ReadAll(body); len(rest)+read != 10 {
			t.Fatalf("%d bytes were read, %d are left", read, len(rest))
		}
	})
}
