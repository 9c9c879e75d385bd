package httpx

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
)

// Fingerprint tells requests under the same idempotency key apart: the SHA-256 of method, path, query and body.
type Fingerprint [sha256.Size]byte

// String returns 64 hexadecimal digits.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

func fingerprint(r *http.Request, body []byte) Fingerprint {
	return digest([]byte(r.Method), []byte(r.URL.EscapedPath()), []byte(r.URL.RawQuery), body)
}

// digest hashes parts with their lengths, so that no two lists of parts are one text.
func digest(parts ...[]byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, part := range parts {
		h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		h.Write(part)
	}
	h.Sum(sum[:0])
	return sum
}

// errBodyTooLarge is matched by nothing that a body returns by itself.
var errBodyTooLarge = errors.New("httpx: the request body is larger than a fingerprint may take in")

// readBody reads a request body whole, as long as it is not larger than limit. What says beforehand that it is larger is
// not read at all, so that after Expect: 100-continue not a byte of it is sent.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, errBodyTooLarge
	}
	var body bytes.Buffer
	if r.ContentLength > 0 {
		body.Grow(int(min(r.ContentLength, 64<<10)) + bytes.MinRead) // what is only announced gets no more than this
	}
	if _, err := body.ReadFrom(io.LimitReader(r.Body, limit+1)); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, errBodyTooLarge
		}
		return nil, err
	}
	if int64(body.Len()) > limit {
		return nil, errBodyTooLarge
	}
	return body.Bytes(), nil
}

// readAgain is a body that was read whole. Closing it closes the original.
type readAgain struct {
	bytes.Reader
	original io.Closer
}

func newReadAgain(body []byte, original io.Closer) *readAgain {
	b := &readAgain{original: original}
	b.Reset(body)
	return b
}

func (b *readAgain) Close() error { return b.original.Close() }
