package cache

import (
	"context"
	"encoding/binary"
	"time"
)

// changeKind is what a change does. The numbers are those of messages.
type changeKind uint8

const (
	expireKey changeKind = iota + 1
	removeKey
	putKey
	expireTag
	removeTag
	expireAll
	removeAll
)

func (k changeKind) ofKey() bool { return k <= putKey }
func (k changeKind) ofAll() bool { return k == expireAll || k == removeAll }

// change is one that the second layer and the others must learn of.
type change struct {
	kind changeKind
	name string // the encoded key, or the tag; empty for everything
	wall int64
	data []byte // of a Put: the payload; nil if it could not be encoded
	ttl  time.Duration
}

// changeSecond carries a change out in the second layer, if there is one. A late one gives way to what is newer there.
func (c *Cache[K, V]) changeSecond(ctx context.Context, cfg *Config[K, V], ch change, late bool) error {
	s, limit := c.second, cfg.L2.Hard
	if s == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx) // the source has changed: a caller who leaves changes nothing about that
	if !ch.kind.ofKey() {
		return c.markSecond(ctx, cfg, ch)
	}
	at := s.valueKey(ch.name)
	if late || ch.kind == expireKey && cfg.MaxStale > 0 {
		data, found, err := s.get(ctx, limit, at)
		if err != nil {
			return err
		}
		_, wall, _, _, _, _, broken := headOf(data)
		switch {
		case !found && ch.kind != putKey:
			return nil
		case found && late && broken == nil && wall > ch.wall+int64(c.marks.skew):
			return nil
		case ch.kind == expireKey && broken == nil:
			if changed, left, err := expirePayload(data, time.Now().UnixNano()); err == nil && left > 0 {
				return s.set(ctx, limit, at, changed, left)
			}
		}
	}
	if ch.kind == putKey && ch.data != nil {
		return s.set(ctx, limit, at, ch.data, ch.ttl)
	}
	return s.delete(ctx, limit, at)
}

// markSecond writes the mark of a tag, or of everything, for processes that did not get the message.
func (c *Cache[K, V]) markSecond(ctx context.Context, cfg *Config[K, V], ch change) error {
	s, limit, id := c.second, cfg.L2.Hard, "a"
	if !ch.kind.ofAll() {
		id = tagID(ch.name)
	}
	data, found, err := s.get(ctx, limit, s.markKey(id))
	if err != nil {
		return err
	}
	var softWall, hardWall int64
	if found {
		softWall, hardWall, _ = decodeMark(data) // what cannot be read is overwritten
	}
	if ch.kind == removeTag || ch.kind == removeAll {
		hardWall = max(hardWall, ch.wall)
	} else {
		softWall = max(softWall, ch.wall)
	}
	return s.set(ctx, limit, s.markKey(id), encodeMark(softWall, hardWall), cfg.MarksFor)
}

// message is what goes over the backplane: no values, only what is not right any more.
//
//	magic, version, kind   3 bytes
//	sender                 8 bytes
//	wall                   8 bytes, nanoseconds of the Unix epoch, by the sender's clock
//	names                  number, and length and bytes of each
//	checksum               4 bytes
type message struct {
	kind   changeKind
	sender uint64
	wall   int64
	names  []string
}

const (
	messageMagic   = 0xCB
	messageVersion = 1
	messageFixed   = 3 + 8 + 8
)

func (m message) encode() []byte {
	data := []byte{messageMagic, messageVersion, byte(m.kind)}
	data = binary.BigEndian.AppendUint64(data, m.sender)
	data = binary.BigEndian.AppendUint64(data, uint64(m.wall))
	data = binary.AppendUvarint(data, uint64(len(m.names)))
	for _, name := range m.names {
		data = appendText(data, name)
	}
	return seal(data)
}

// decodeMessage reads a message. An error is one of another version, or no message at all.
func decodeMessage(data []byte) (message, error) {
	body, err := unseal(data)
	if err != nil || len(body) < messageFixed || body[0] != messageMagic || body[1] != messageVersion {
		return message{}, errPayload
	}
	m := message{
		kind:   changeKind(body[2]),
		sender: binary.BigEndian.Uint64(body[3:]),
		wall:   int64(binary.BigEndian.Uint64(body[11:])),
	}
	r := reader{rest: body[messageFixed:]}
	n := r.number()
	for range min(n, uint64(len(r.rest))) {
		m.names = append(m.names, r.text())
	}
	if r.bad || n != uint64(len(m.names)) || len(r.rest) > 0 || m.kind < expireKey || m.kind > removeAll {
		return message{}, errPayload
	}
	return m, nil
}
