package httpx_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seawall-go/seawall/httpx"
)

// refused is a call to a peer with which no connection comes about, or not at once.
type refused struct {
	name   string
	setUp  func(*site)         // the server, before it starts
	client func(*site)         // its base, afterwards
	url    func(string) string // nil for the server's
	cfg    func(*httpx.ClientConfig)

	attempts int64
	judged   string
	sent     bool             // the body may have been read
	is       func(error) bool // nil if it is answered in the end
}

func asType[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func saysAll(parts ...string) func(error) bool {
	return func(err error) bool {
		for _, part := range parts {
			if !strings.Contains(err.Error(), part) {
				return false
			}
		}
		return true
	}
}

func tlsWith(cfg *tls.Config) func(*site) { return func(s *site) { s.TLS = cfg } }

// nowhere is an address at which nobody listens.
func nowhere(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// insteadOfTheFirst lets another function make the first connections, as many as are said.
func (s *site) insteadOfTheFirst(n int64, other func(ctx context.Context, addr string) (net.Conn, error)) {
	var dials atomic.Int64
	dial := s.base.DialContext
	s.base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials.Add(1) <= n {
			return other(ctx, addr)
		}
		return dial(ctx, network, addr)
	}
}

const always = 1 << 30

// dialTo is a dial of another address than what is asked for.
func dialTo(addr string) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}
}

// lingering is a listener whose connections are not reset by what their client still sends after they have been closed, so
// that an alert arrives.
type lingering struct{ net.Listener }

func (l lingering) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &lingeringConn{Conn: c}, nil
}

type lingeringConn struct {
	net.Conn
	once sync.Once
}

func (c *lingeringConn) Close() error {
	c.once.Do(func() {
		_ = c.Conn.(*net.TCPConn).CloseWrite()
		go func() { // ends with the client's end
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			_, _ = io.Copy(io.Discard, c.Conn)
			_ = c.Conn.Close()
		}()
	})
	return nil
}

// http1Anyway answers a request as an HTTP/1 server, whatever was agreed on, and hangs up when the client does. It waits for
// the header of the request: before that the client may find a connection that is gone, and not why.
func http1Anyway(_ *http.Server, c *tls.Conn, _ http.Handler) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.ReadFull(c, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
	for kind := byte(frameSetting); kind != frameHeaders; {
		var head [9]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		kind = head[3]
		_, _ = io.CopyN(io.Discard, c, int64(head[0])<<16|int64(head[1])<<8|int64(head[2]))
	}
	_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nX-Token: s3cret\r\n\r\n")
	_, _ = io.Copy(io.Discard, c)
}

func refusals(t *testing.T) []refused {
	dead := nowhere(t)
	once := func(other func(context.Context, string) (net.Conn, error)) func(*site) {
		return func(s *site) { s.insteadOfTheFirst(1, other) }
	}
	noName := func(ctx context.Context, _ string) (net.Conn, error) {
		resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("no network")
		}}
		return (&net.Dialer{Resolver: resolver}).DialContext(ctx, "tcp", "shop.invalid:443")
	}
	isAlert := func(err error) bool {
		op, ok := errors.AsType[*net.OpError](err)
		return ok && op.Op == "remote error"
	}
	unknown := func(s *site) { s.base.TLSClientConfig.RootCAs = x509.NewCertPool() }
	return []refused{
		{
			name: "a dial that is refused", client: func(s *site) { s.insteadOfTheFirst(always, dialTo(dead)) },
			attempts: 3, judged: "0 3 0 0 0", is: saysAll("3 attempts", "refused"),
		},
		{name: "a dial that is refused once", client: once(dialTo(dead)), attempts: 2, judged: "1 1 0 0 0"},
		{
			name: "a name that nobody has", client: func(s *site) { s.insteadOfTheFirst(always, noName) },
			attempts: 3, judged: "0 3 0 0 0", is: asType[*net.DNSError],
		},
		{name: "a name that is not found once", client: once(noName), attempts: 2, judged: "1 1 0 0 0"},
		{
			name: "a handshake without an end, once", attempts: 2, judged: "1 1 0 0 1", cfg: limited(short),
			setUp: func(s *site) {
				var n atomic.Int64
				s.TLS = &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
					if n.Add(1) == 1 {
						_, _ = io.Copy(io.Discard, hello.Conn) // until the client hangs up
					}
					return nil, nil
				}}
			},
		},
		{
			name: "a certificate of nobody", setUp: tlsWith(&tls.Config{}), client: unknown,
			attempts: 1, judged: "0 1 0 0 0", is: asType[x509.UnknownAuthorityError],
		},
		{
			name: "a certificate of another host", setUp: tlsWith(&tls.Config{}),
			client: func(s *site) { s.insteadOfTheFirst(always, dialTo(s.Listener.Addr().String())) },
			url:    func(string) string { return "https://other.test" }, attempts: 1, judged: "0 1 0 0 0", is: asType[x509.HostnameError],
		},
		{
			name: "a certificate that has expired", setUp: tlsWith(&tls.Config{}), client: func(s *site) {
				s.base.TLSClientConfig.Time = func() time.Time { return time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC) }
			},
			attempts: 1, judged: "0 1 0 0 0", is: asType[x509.CertificateInvalidError],
		},
		{
			name: "no version of TLS in common", setUp: tlsWith(&tls.Config{MinVersion: tls.VersionTLS13}),
			client:   func(s *site) { s.base.TLSClientConfig.MaxVersion = tls.VersionTLS12 },
			attempts: 1, judged: "0 1 0 0 0", is: isAlert,
		},
		{
			name: "no protocol in common", setUp: tlsWith(&tls.Config{NextProtos: []string{"acme-tls/1"}}),
			client: func(s *site) {
				if !s.base.ForceAttemptHTTP2 { // which would say so by itself
					s.base.TLSClientConfig.NextProtos = []string{"http/1.1"}
				}
			},
			attempts: 1, judged: "0 1 0 0 0", is: isAlert,
		},
		{
			name: "our certificate is asked for, in the handshake", attempts: 1, judged: "0 1 0 0 0", is: isAlert,
			setUp: tlsWith(&tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}),
		},
		{
			name: "our certificate is asked for, behind the handshake", attempts: 1, judged: "0 1 0 0 0", sent: true,
			is: func(err error) bool { // net/http, which reads the alert while it writes the body, does not always say why
				return isAlert(err) || saysAll("http2: client conn could not be established")(err) || errors.Is(err, net.ErrClosed)
			},
			setUp: func(s *site) {
				s.Listener = lingering{s.Listener}
				s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13}
			},
		},
		{
			name: "no TLS on the other side", setUp: func(s *site) { s.TLS, s.EnableHTTP2 = nil, false },
			url:      func(u string) string { return strings.Replace(u, "http:", "https:", 1) },
			attempts: 1, judged: "0 1 0 0 0", is: asType[tls.RecordHeaderError],
		},
	}
}

// What becomes of a request for which there is no connection, by each kind of body: it is never read, and closed once.
// Whatever has refused it, nothing is left behind.
func TestARequestWithoutAConnectionIsRepeatedUnlessThatIsHopeless(t *testing.T) {
	for _, p := range []protocol{http1, http2} {
		for _, row := range refusals(t) {
			for kind, give := range bodies {
				t.Run(string(p)+"/"+row.name+"/"+kind, func(t *testing.T) { row.check(t, p, give) })
			}
		}
	}
}

func (row refused) check(t *testing.T, p protocol, give func(*http.Request) (*countedBody, func() []*countedBody)) {
	cfg := quick()
	if row.cfg != nil {
		row.cfg(&cfg)
	}
	s := newSiteWith(t, p, cfg, func(s *site) {
		if row.setUp != nil {
			row.setUp(s)
		}
	}, status(201))
	var body *countedBody
	defer func() {
		s.rest(t) // net/http may close the body a moment after it has returned
		sent := row.sent || row.is == nil
		if body.closes.Load() != 1 || !sent && body.reads.Load() != 0 {
			t.Errorf("the body was closed %d times, read %d times", body.closes.Load(), body.reads.Load())
		}
	}()
	s.base.ForceAttemptHTTP2 = p == http2
	if row.client != nil {
		row.client(s)
	}
	target := s.URL
	if row.url != nil {
		target = row.url(target)
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST", target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	body, _ = give(req)
	resp, err := s.tr.RoundTrip(req)
	if err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	switch {
	case row.is == nil && (err != nil || resp.StatusCode != 201 || strings.Join(s.got, "|") != "POST 2 hello"):
		t.Errorf("%v, %v; the server got %q", resp, err, s.got)
	case row.is == nil && resp.ProtoMajor != map[protocol]int{http1: 1, http2: 2}[p]:
		t.Errorf("answered by %s", resp.Proto)
	case row.is != nil && (err == nil || !row.is(err) || len(s.got) > 0):
		t.Errorf("%v, %v; the server got %q", resp, err, s.got)
	}
	if n := s.tr.Retry().Stats().Attempts; n != row.attempts || judged(s.tr) != row.judged {
		t.Errorf("%d attempts, judged %s; want %d, %s; %v", n, judged(s.tr), row.attempts, row.judged, err)
	}
}

// Who speaks HTTP/1 where HTTP/2 was agreed on will do so again.
func TestAPeerThatDoesNotSpeakHTTP2IsNotAskedAgain(t *testing.T) {
	s := newSiteWith(t, http2, quick(), func(s *site) {
		s.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){"h2": http1Anyway}
		s.TLS = &tls.Config{NextProtos: []string{"h2"}}
		s.EnableHTTP2 = false // which would put its own in that place
	}, status(200))
	defer s.rest(t)
	s.base.ForceAttemptHTTP2 = true
	req, err := http.NewRequestWithContext(t.Context(), "PUT", s.URL, strings.NewReader("order"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.tr.RoundTrip(req)
	if err == nil {
		resp.Body.Close()
		t.Fatal("it was answered")
	}
	if n := s.tr.Retry().Stats().Attempts; n != 1 || judged(s.tr) != "0 1 0 0 0" || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%d attempts, judged %s: %v", n, judged(s.tr), err)
	}
}

// T64, the client's side: a server that refuses after Expect: 100-continue gets no body, and the next attempt is whole. The
// caller's trace sees what the server says.
func TestExpectContinuePassesThrough(t *testing.T) {
	refuse := func(code int) act { return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) } }
	take := func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		_, _ = w.Write(text)
	}
	for _, row := range []struct {
		name, method string
		cfg          func(*httpx.ClientConfig)
		script       []act
		waits        bool // the first request has no answer before the second

		status    int
		text      string
		requests  string
		read      bool // the first body
		continued int64
		judged    string
	}{
		{name: "taken, POST", method: "POST", script: []act{take}, status: 200, text: "upload", requests: "POST", read: true, continued: 1, judged: "1 0 0 0 0"},
		{name: "refused, POST", method: "POST", script: []act{refuse(417)}, status: 417, requests: "POST", judged: "1 0 0 0 0"},
		{name: "unavailable, POST", method: "POST", script: []act{refuse(503)}, status: 503, requests: "POST", judged: "0 1 0 0 0"},
		{
			name: "unavailable, then taken, PUT", method: "PUT", script: []act{refuse(503), take},
			status: 200, text: "upload", requests: "PUT|PUT 2", continued: 1, judged: "1 1 0 0 0",
		},
		{name: "unavailable for good, PUT", method: "PUT", script: []act{refuse(503)}, status: 503, requests: "PUT|PUT 2|PUT 3", judged: "0 3 0 0 0"},
		{
			name: "no answer to the first, PUT", method: "PUT", cfg: limited(short), script: []act{refuse(503), take}, waits: true,
			status: 200, text: "upload", requests: "PUT|PUT 2", continued: 1, judged: "1 1 0 0 1",
		},
	} {
		for _, p := range []protocol{http1, http2} {
			t.Run(string(p)+"/"+row.name, func(t *testing.T) {
				cfg := quick()
				if row.cfg != nil {
					row.cfg(&cfg)
				}
				script := row.script
				if row.waits { // net/http tells no handler of the end of a client whose body is unread
					second := make(chan struct{})
					script = []act{
						func(w http.ResponseWriter, r *http.Request) {
							<-second
							row.script[0](w, r)
						},
						func(w http.ResponseWriter, r *http.Request) {
							close(second)
							row.script[1](w, r)
						},
					}
				}
				s := newSiteWith(t, p, cfg, func(s *site) { s.unread = true }, script...)
				s.base.ExpectContinueTimeout = time.Minute // so that nothing is sent unasked
				body := newCountedBody("upload")
				defer func() {
					s.rest(t)
					if (body.reads.Load() > 0) != row.read || body.closes.Load() != 1 {
						t.Errorf("the first body was read %d times and closed %d times", body.reads.Load(), body.closes.Load())
					}
				}()
				var continued atomic.Int64
				ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { continued.Add(1) }})
				req, err := http.NewRequestWithContext(ctx, row.method, s.URL, strings.NewReader("upload"))
				if err != nil {
					t.Fatal(err)
				}
				req.Body = body
				req.Header.Set("Expect", "100-continue")
				resp, err := s.tr.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != row.status || string(text) != row.text || err != nil {
					t.Errorf("%d %q, %v; want %d %q", resp.StatusCode, text, err, row.status, row.text)
				}
				s.mu.Lock()
				defer s.mu.Unlock()
				if got := strings.Join(s.got, "|"); got != row.requests || continued.Load() != row.continued || judged(s.tr) != row.judged {
					t.Errorf("the server got %s, was told to go on %d times, judged %s; want %s, %d, %s",
						got, continued.Load(), judged(s.tr), row.requests, row.continued, row.judged)
				}
			})
		}
	}
}
