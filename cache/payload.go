package cache

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"time"
)

// payload is a value in the second layer. Times are nanoseconds of the Unix epoch.
//
//	magic, version, flags           3 bytes
//	fresh                           8 bytes, so that it can be changed in place
//	wall, loaded, dead, delta       8 bytes each
//	codec, key, validator           length (uvarint) and bytes
//	tags                            number, and each of them
//	raw length of the value         uvarint
//	value                           the rest, but for
//	checksum of all before          4 bytes, CRC-32 (Castagnoli)
type payload[V any] struct {
	value                     V
	about                     about
	wall, loaded, fresh, dead int64
	delta                     time.Duration
}

const (
	payloadMagic   = 0xCA
	payloadVersion = 1
	flagCompressed = 1
	fixedLength    = 3 + 5*8
	freshAt        = 3
	sumLength      = 4
	// maxPayload bounds what a payload may claim to become when it is decompressed.
	maxPayload = 1 << 28
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errPayload is why something in the second layer is a miss.
var errPayload = errors.New("cache: unknown or corrupt payload")

func encodePayload[V any](p payload[V], key string, codec Codec[V], compressOver int) ([]byte, error) {
	raw, err := codec.Encode(p.value)
	if err != nil {
		return nil, err
	}
	body, flags := raw, byte(0)
	if compressOver > 0 && len(raw) >= compressOver && len(raw) <= maxPayload {
		if small := deflate(raw); len(small) < len(raw) {
			body, flags = small, flagCompressed
		}
	}
	data := make([]byte, 0, fixedLength+len(key)+len(body)+64)
	data = append(data, payloadMagic, payloadVersion, flags)
	for _, n := range []int64{p.fresh, p.wall, p.loaded, p.dead, int64(p.delta)} {
		data = binary.BigEndian.AppendUint64(data, uint64(n))
	}
	data = appendText(data, codec.Name())
	data = appendText(data, key)
	data = appendText(data, p.about.validator)
	data = binary.AppendUvarint(data, uint64(p.about.ttl))
	data = binary.AppendUvarint(data, uint64(len(p.about.tags)))
	for _, tag := range p.about.tags {
		data = appendText(data, tag)
	}
	data = binary.AppendUvarint(data, uint64(len(raw)))
	return seal(append(data, body...)), nil
}

// seal appends the checksum.
func seal(data []byte) []byte {
	return binary.BigEndian.AppendUint32(data, crc32.Checksum(data, castagnoli))
}

// unseal returns what the checksum is of.
func unseal(data []byte) ([]byte, error) {
	if len(data) < sumLength {
		return nil, errPayload
	}
	body, sum := data[:len(data)-sumLength], data[len(data)-sumLength:]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(sum) {
		return nil, errPayload
	}
	return body, nil
}

// headOf reads the fixed part.
func headOf(data []byte) (fresh, wall, loaded, dead int64, delta time.Duration, rest []byte, err error) {
	body, err := unseal(data)
	if err != nil || len(body) < fixedLength || body[0] != payloadMagic || body[1] != payloadVersion {
		return 0, 0, 0, 0, 0, nil, errPayload
	}
	n := func(i int) int64 { return int64(binary.BigEndian.Uint64(body[freshAt+8*i:])) }
	return n(0), n(1), n(2), n(3), time.Duration(n(4)), body[fixedLength:], nil
}

// decodePayload reads what encodePayload has written for the same key and with the same codec. Anything else is an error,
// and no panic but the codec's.
func decodePayload[V any](data []byte, key string, codec Codec[V]) (p payload[V], err error) {
	var rest []byte
	if p.fresh, p.wall, p.loaded, p.dead, p.delta, rest, err = headOf(data); err != nil {
		return payload[V]{}, err
	}
	r := reader{rest: rest}
	if r.text() != codec.Name() || r.text() != key {
		return payload[V]{}, errPayload
	}
	p.about.validator = r.text()
	p.about.ttl = time.Duration(r.number())
	tags := r.number()
	for range min(tags, uint64(len(r.rest))) {
		p.about.tags = append(p.about.tags, r.text())
	}
	length := r.number()
	switch {
	case r.bad || tags != uint64(len(p.about.tags)):
		return payload[V]{}, errPayload
	case p.loaded > p.fresh || p.fresh > p.dead || p.delta < 0 || p.about.ttl < 0:
		return payload[V]{}, errPayload
	}
	body := r.rest
	if data[2]&flagCompressed != 0 {
		if body, err = inflate(body, length); err != nil {
			return payload[V]{}, errPayload
		}
	} else if uint64(len(body)) != length {
		return payload[V]{}, errPayload
	}
	if p.value, err = codec.Decode(body); err != nil {
		return payload[V]{}, errors.Join(errPayload, err)
	}
	return p, nil
}

// expirePayload ends the time to live of a payload in place, and returns what it has left of its life. The times before
// the end of a load are its own.
func expirePayload(data []byte, now int64) (changed []byte, left time.Duration, err error) {
	fresh, _, loaded, dead, _, _, err := headOf(data)
	if err != nil {
		return nil, 0, err
	}
	changed = append([]byte(nil), data[:len(data)-sumLength]...)
	binary.BigEndian.PutUint64(changed[freshAt:], uint64(max(min(fresh, now), loaded)))
	return seal(changed), time.Duration(dead - now), nil
}

func appendText(data []byte, s string) []byte {
	return append(binary.AppendUvarint(data, uint64(len(s))), s...)
}

// reader reads numbers and texts, and is bad after the first that is not there.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) number() uint64 {
	n, length := binary.Uvarint(r.rest)
	if length <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[length:]
	return n
}

func (r *reader) text() string {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

func deflate(raw []byte) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestSpeed)
	if err != nil {
		return raw // of a level that there is: it does not happen
	}
	if _, err = w.Write(raw); err != nil || w.Close() != nil {
		return raw
	}
	return out.Bytes()
}

// inflate decompresses to a length that is known, and to no more.
func inflate(body []byte, length uint64) ([]byte, error) {
	if length > maxPayload || length > uint64(len(body)+1)*1100 { // DEFLATE makes at most 1032 of one
		return nil, errPayload
	}
	r := flate.NewReader(bytes.NewReader(body))
	raw, err := io.ReadAll(io.LimitReader(r, int64(length)+1))
	if err != nil || uint64(len(raw)) != length {
		return nil, errPayload
	}
	return raw, r.Close()
}

// encodeMark and decodeMark write the mark of a tag, or of everything.
func encodeMark(softWall, hardWall int64) []byte {
	data := []byte{payloadMagic, payloadVersion}
	data = binary.BigEndian.AppendUint64(data, uint64(softWall))
	return seal(binary.BigEndian.AppendUint64(data, uint64(hardWall)))
}

func decodeMark(data []byte) (softWall, hardWall int64, err error) {
	body, err := unseal(data)
	if err != nil || len(body) != 18 || body[0] != payloadMagic || body[1] != payloadVersion {
		return 0, 0, errPayload
	}
	return int64(binary.BigEndian.Uint64(body[2:])), int64(binary.BigEndian.Uint64(body[10:])), nil
}
