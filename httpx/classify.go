package httpx

import (
	"errors"
	"io"
	"net/http"

	"github.com/seawall-go/seawall"
)

// mostPeek is how much of a body Classify may read, in bytes.
const mostPeek = 4 << 10

// classify asks the configuration what a response is, after the table. What it says of repeating the request holds as
// far as that can be sent again; nothing overrules a server that says final.
func (x *exchange) classify(resp *http.Response, byTable error) error {
	var v seawall.Verdict
	final := x.told.Load()&usedUpInside != 0
	if e, ok := errors.AsType[*StatusError](byTable); ok {
		v, final = e.verdict, final || e.final
	}
	p := &peek{from: resp.Body, left: mostPeek}
	shown := *resp
	shown.Body = p
	returned := false
	defer func() {
		if !returned { // the panic, or the Goexit, goes on
			_ = p.from.Close()
		}
	}()
	said := x.opts.Classify(&shown, v)
	returned = true
	resp.Body = p.body()
	said.After = max(said.After, 0)
	// What the table allows is possible. It may have taken an unread body back for it already.
	if said.Repeat != v.Repeat && (final || !x.body.repeatable() || said.Repeat == seawall.RepeatIfIdempotent && !x.idempotent) {
		said.Repeat = seawall.RepeatNever
	}
	if said == (seawall.Verdict{}) {
		return nil
	}
	return x.status(resp, said, final)
}

// peek lets somebody read the beginning of a body, and keeps what was read.
type peek struct {
	from io.ReadCloser
	kept []byte
	left int
	err  error // of from
}

func (p *peek) Read(b []byte) (int, error) {
	switch {
	case p.err != nil:
		return 0, p.err
	case p.left == 0:
		return 0, io.EOF
	case len(b) > p.left:
		b = b[:p.left]
	}
	n, err := p.from.Read(b)
	p.kept, p.left, p.err = append(p.kept, b[:n]...), p.left-n, err
	return n, err
}

// Close does nothing: the body is still to be read.
func (*peek) Close() error { return nil }

// body returns the body as if nobody had read from it. By http.NoBody the attempt knows that it ends with the headers.
func (p *peek) body() io.ReadCloser {
	if p.from == http.NoBody || len(p.kept) == 0 && p.err == nil {
		return p.from
	}
	return &peeked{peek: p}
}

// peeked is a body whose beginning was read before.
type peeked struct{ *peek }

func (p *peeked) Read(b []byte) (int, error) {
	switch {
	case len(b) == 0:
		return 0, nil
	case len(p.kept) > 0:
		n := copy(b, p.kept)
		p.kept = p.kept[n:]
		return n, nil
	case p.err != nil:
		return 0, p.err
	}
	return p.from.Read(b)
}

func (p *peeked) Close() error { return p.from.Close() }
