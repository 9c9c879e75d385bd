package httpx

import (
	"io"
	"math"
	"net/http"
	"os"
	"sync"
)

// readFrom copies src. As long as nothing is written, the first bytes are waited for here: a source that hangs has not
// begun the response.
func (w *writer) readFrom(src io.Reader) (n int64, err error) {
	if w.phase() >= answered { // src is not read in vain
		w.settled()
		return 0, http.ErrHandlerTimeout
	}
	if w.own && !w.begun() {
		first := make([]byte, 512)
		for n == 0 {
			read, err := src.Read(first)
			if read > 0 {
				written, werr := w.Write(first[:read])
				n += int64(written)
				if werr != nil {
					return n, werr
				}
			}
			if err == io.EOF { // by its contract it comes bare
				return n, nil
			}
			if err != nil {
				return n, err
			}
		}
	}
	var m int64
	switch {
	case !w.cuts():
		m, err = w.readPiece(src)
	case isFile(src):
		m, err = w.readPieces(src)
	default: // may make us wait, and a limit does not wait for what is no operation
		buf := copyBuffers.Get().(*[32 << 10]byte)
		defer copyBuffers.Put(buf)
		m, err = io.CopyBuffer(writerOnly{w}, src, buf[:])
	}
	return n + m, err
}

var copyBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// writerOnly hides what else a writer has from io.Copy.
type writerOnly struct{ io.Writer }

// isFile reports whether src is a file on disk, or a part of one, which the system copies by itself, and at once.
func isFile(src io.Reader) bool {
	if part, ok := src.(*io.LimitedReader); ok {
		src = part.R
	}
	f, ok := src.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

// readPieces copies a file in pieces, each of which shows that the response goes on.
func (w *writer) readPieces(src io.Reader) (n int64, err error) {
	whole, ok := src.(*io.LimitedReader)
	if !ok {
		whole = &io.LimitedReader{R: src, N: math.MaxInt64}
	}
	for {
		size := min(whole.N, pieceSize)
		piece := &io.LimitedReader{R: whole.R, N: size} // one around another is nothing that the system copies
		m, err := w.readPiece(piece)
		n += m
		whole.N -= size - piece.N
		if err != nil || m < pieceSize {
			return n, err
		}
	}
}

func (w *writer) readPiece(src io.Reader) (int64, error) {
	if !w.enter(body, http.StatusOK) {
		return 0, http.ErrHandlerTimeout
	}
	defer w.leave()
	return w.below.(io.ReaderFrom).ReadFrom(src)
}
