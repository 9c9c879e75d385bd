package cache

import "time"

// SizeOf is the default of Config.Size.
func SizeOf[K comparable, V any](key K, value V) int64 { return sizeOf(key, value) }

// SetMarks sets how many marks there may be.
func (c *Cache[K, V]) SetMarks(n int) {
	c.marks.mu.Lock()
	defer c.marks.mu.Unlock()
	c.marks.capacity = n
}

// Payload is one, for the fuzz test.
type Payload struct {
	Value         string
	Tags          []string
	Validator     string
	TTL, Delta    time.Duration
	Loaded, Fresh int64
	Dead, Wall    int64
	Key           string
	CompressOver  int
}

// EncodePayload writes a payload.
func EncodePayload(p Payload) ([]byte, error) {
	return encodePayload(payload[string]{
		value: p.Value, about: about{ttl: p.TTL, tags: p.Tags, validator: p.Validator},
		wall: p.Wall, loaded: p.Loaded, fresh: p.Fresh, dead: p.Dead, delta: p.Delta,
	}, p.Key, JSON[string]{}, p.CompressOver)
}

// DecodePayload reads a payload of a key.
func DecodePayload(data []byte, key string) (Payload, error) {
	p, err := decodePayload(data, key, JSON[string]{})
	return Payload{
		Value: p.value, Tags: p.about.tags, Validator: p.about.validator, TTL: p.about.ttl, Delta: p.delta,
		Loaded: p.loaded, Fresh: p.fresh, Dead: p.dead, Wall: p.wall, Key: key,
	}, err
}

// Seal appends a checksum that is right.
func Seal(data []byte) []byte { return seal(append([]byte(nil), data...)) }

// ExpirePayload ends the time to live of a payload.
func ExpirePayload(data []byte, now int64) ([]byte, time.Duration, error) {
	return expirePayload(data, now)
}

// RecodeMessage reads a message and writes it again.
func RecodeMessage(data []byte) ([]byte, error) {
	m, err := decodeMessage(data)
	if err != nil {
		return nil, err
	}
	return m.encode(), nil
}

// EncodeMessage writes a message.
func EncodeMessage(kind uint8, names ...string) []byte {
	return message{kind: changeKind(kind), sender: 7, wall: 11, names: names}.encode()
}
