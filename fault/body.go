package fault

import (
	"io"
	"net/http"
)

// spoil puts what cuts and changes an answer around its body.
func (in *Injection) spoil(req *http.Request, res *http.Response) {
	none := res.Body == nil || res.Body == http.NoBody || req.Method == http.MethodHead
	if none || res.StatusCode == http.StatusSwitchingProtocols || len(in.cuts)+len(in.corrupt) == 0 {
		return
	}
	res.Body = &body{ReadCloser: res.Body, in: in, length: res.ContentLength}
}

// body is that of an answer which a fault cuts or changes. Like every body it is read by one goroutine at a time.
type body struct {
	io.ReadCloser

	in     *Injection
	length int64 // that is declared; below 0 if none is
	passed int64
	err    error // how it was cut
}

// Read reads what is left of the body.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	room, by := b.in.room(b.passed)
	switch {
	case by == nil || int64(len(p)) <= room:
	case room > 0:
		p = p[:room]
	case b.length == b.passed || len(p) == 0:
		// It ends here anyway.
	default:
		return b.last(p, by)
	}
	n, err := b.ReadCloser.Read(p)
	b.in.Damage(p[:n], b.passed)
	b.passed += int64(n)
	return n, err
}

// last looks whether there is anything to cut.
func (b *body) last(p []byte, by *cut) (int, error) {
	n, err := b.ReadCloser.Read(p[:1])
	if n == 0 {
		return 0, err
	}
	clear(p[:n])
	_ = b.Close() // so that the connection is not used again
	by.count()
	b.err = io.ErrUnexpectedEOF
	if by.run.fault.Kind == ResetPeer {
		b.err = by.run.injected.reset("read")
	}
	return 0, b.err
}
