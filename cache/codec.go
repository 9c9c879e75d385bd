package cache

import "encoding/json"

// Codec writes the values of a second layer. It is used by many goroutines at once.
type Codec[V any] interface {
	// Name is written beside each value, at most 255 bytes: what another codec has written is a miss.
	Name() string
	Encode(value V) ([]byte, error)
	// Decode reads what Encode has written, or anything else. It must not keep data.
	Decode(data []byte) (V, error)
}

// JSON is the [Codec] of encoding/json. Fields that are not exported are lost.
type JSON[V any] struct{}

// Name returns "json".
func (JSON[V]) Name() string { return "json" }

// Encode writes a value.
func (JSON[V]) Encode(value V) ([]byte, error) { return json.Marshal(value) }

// Decode reads a value.
func (JSON[V]) Decode(data []byte) (value V, err error) {
	err = json.Unmarshal(data, &value)
	return value, err
}
