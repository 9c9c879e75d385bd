package httpx_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seawall-go/seawall/httpx"
	"github.com/seawall-go/seawall/internal/leaktest"
)

// The types of frames that the servers below know (RFC 9113, section 6).
const (
	frameData    = 0x0
	frameHeaders = 0x1
	frameReset   = 0x3
	frameSetting = 0x4
	frameGoAway  = 0x7
)

// rawHTTP2 speaks HTTP/2 frame by frame, and so also what net/http's server never says. It reads each request to its end.
type rawHTTP2 struct {
	net.Listener
	answer func(c rawConn, request int, stream uint32) // request counts from 1

	mu     sync.Mutex // guards the fields below
	bodies []string   // of the requests
	conns  sync.WaitGroup
}

type rawConn struct{ net.Conn }

func (c rawConn) frame(kind, flags byte, stream uint32, payload ...byte) {
	head := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(head[5:], stream)
	_, _ = c.Write(append(head, payload...))
}

func (c rawConn) refuse(stream uint32) { c.frame(frameReset, 0, stream, 0, 0, 0, 7) }

// goAway says that no stream was begun, and hangs up.
func (c rawConn) goAway(code byte) {
	c.frame(frameGoAway, 0, 0, 0, 0, 0, 0, 0, 0, 0, code)
	_ = c.Close()
}

func (c rawConn) ok(stream uint32) { c.frame(frameHeaders, 0x5, stream, 0x88) } // :status 200, and the end

func newRawHTTP2(t *testing.T, answer func(c rawConn, request int, stream uint32)) *rawHTTP2 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawHTTP2{Listener: l, answer: answer}
	s.conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.conns.Go(func() { s.serve(rawConn{conn}) })
		}
	})
	return s
}

func (s *rawHTTP2) serve(c rawConn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.CopyN(io.Discard, c, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
		return
	}
	c.frame(frameSetting, 0, 0)
	bodies := map[uint32]string{}
	for {
		var head [9]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(c, payload); err != nil {
			return
		}
		kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:])
		switch kind {
		case frameSetting:
			if flags == 0 {
				c.frame(frameSetting, 1, 0) // acknowledged
			}
			continue
		case frameData:
			bodies[stream] += string(payload)
		case frameHeaders:
		default:
			continue
		}
		if flags&1 != 0 { // the end of the request
			s.mu.Lock()
			s.bodies = append(s.bodies, bodies[stream])
			request := len(s.bodies)
			s.mu.Unlock()
			s.answer(c, request, stream)
		}
	}
}

// What a peer says it has not begun is sent again with any method, if the body can be: by net/http itself, inside of one
// attempt, which is why a body that is kept is offered to it.
func TestAStreamThatThePeerHasNotBegunIsSentAgain(t *testing.T) {
	refused := func(c rawConn, request int, stream uint32) {
		if request == 1 {
			c.refuse(stream)
			return
		}
		c.ok(stream)
	}
	away := func(code byte) func(rawConn, int, uint32) {
		return func(c rawConn, request int, stream uint32) {
			if request == 1 {
				c.goAway(code)
				return
			}
			c.ok(stream)
		}
	}
	const enhanceYourCalm = 0xb
	for _, row := range []struct {
		name, method string
		answer       func(rawConn, int, uint32)
		body         string // streamed; empty for none
		keep         int
		requests     int
		attempts     int64
		ok           bool
	}{
		{"refused, POST, kept", "POST", refused, "order", 100, 2, 1, true},
		{"refused, POST, outgrown", "POST", refused, "order", 3, 1, 1, false},
		{"refused, POST, streamed", "POST", refused, "order", 0, 1, 1, false},
		{"refused, POST without a body", "POST", refused, "", 0, 2, 1, true},
		{"going away, POST, kept", "POST", away(0), "order", 100, 2, 1, true},
		{"going away, POST, streamed", "POST", away(0), "order", 0, 1, 1, false},
		// net/http does not tell this one from a connection that broke, if the request is the first of its connection.
		{"going away with an error, POST, kept", "POST", away(enhanceYourCalm), "order", 100, 1, 1, false},
		{"going away with an error, GET", "GET", away(enhanceYourCalm), "", 0, 2, 2, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			server, body := newRawHTTP2(t, row.answer), newCountedBody(row.body)
			base := &http.Transport{Protocols: new(http.Protocols)}
			base.Protocols.SetUnencryptedHTTP2(true)
			defer func() {
				server.Close()
				base.CloseIdleConnections()
				server.conns.Wait()
				if left := leaktest.Wait(5 * time.Second); len(left) > 0 {
					t.Errorf("left: %s", strings.Join(left, "\n\n"))
				}
				if n := body.closes.Load(); row.body != "" && n != 1 { // net/http may do that after RoundTrip has returned
					t.Errorf("the body was closed %d times", n)
				}
			}()
			cfg := quick()
			cfg.ReplayBuffer = row.keep
			tr := httpx.NewTransport("test", cfg, base)
			req, err := http.NewRequestWithContext(t.Context(), row.method, "http://"+server.Addr().String(), http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if row.body != "" {
				req.Body, req.GetBody, req.ContentLength = body, nil, -1
			}
			resp, err := tr.RoundTrip(req)
			if err == nil {
				resp.Body.Close()
			}
			if (err == nil) != row.ok {
				t.Errorf("the error is %v", err)
			}
			server.mu.Lock()
			defer server.mu.Unlock()
			if len(server.bodies) != row.requests || tr.Retry().Stats().Attempts != row.attempts {
				t.Errorf("%d requests in %d attempts, want %d in %d; %v", len(server.bodies), tr.Retry().Stats().Attempts,
					row.requests, row.attempts, err)
			}
			for _, got := range server.bodies {
				if got != row.body {
					t.Errorf("the body arrived as %q", got)
				}
			}
		})
	}
}

// Another attempt would be answered in the same way; and what net/http quotes of the answer is nobody's to read.
func TestAPeerThatDoesNotSpeakHTTPIsNotAskedAgain(t *testing.T) {
	for name, answer := range map[string]string{
		"SSH":                  "SSH-2.0-s3cret\r\n",
		"HTTP/2":               "\x00\x00\x12\x04\x00\x00\x00\x00\x00s3cret\r\n\r\n",
		"a line without colon": "HTTP/1.1 200 OK\r\nX-Token s3cret\r\n\r\n",
		"a status of letters":  "HTTP/1.1 s3cret OK\r\n\r\n",
		"a length of letters":  "HTTP/1.1 200 OK\r\nContent-Length: s3cret\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			server := newCannedServer(t, answer)
			tr := httpx.NewTransport("test", quick(), wrapped{&http.Transport{DisableKeepAlives: true}})
			req, err := http.NewRequestWithContext(t.Context(), "GET", server, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := tr.RoundTrip(req)
			if err == nil {
				resp.Body.Close()
				t.Fatal("it was answered")
			}
			if n := tr.Retry().Stats().Attempts; n != 1 && name != "a length of letters" {
				t.Errorf("%d attempts, want 1", n)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error quotes the answer: %v", err)
			}
		})
	}
}

// newCannedServer answers the same to every request, and hangs up.
func newCannedServer(t *testing.T, answer string) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			conns.Go(func() {
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = io.WriteString(conn, answer)
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		conns.Wait()
	})
	return "http://" + l.Addr().String()
}

// wrapped hides what kind of base there is inside of it.
type wrapped struct{ http.RoundTripper }
