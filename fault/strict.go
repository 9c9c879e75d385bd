package fault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// reader reads one value; path is its place in the plan, for errors.
type reader func(path string, raw json.RawMessage) error

type field struct {
	name string
	read reader
}

// readObject reads an object whose fields are all known, and returns which of them it has. encoding/json itself would
// take names in any case, the last of several, and null for anything.
func readObject(prefix string, data []byte, fields []field) (given map[string]bool, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, unwanted(strings.TrimSuffix(prefix, "."), data, "an object")
	}
	given = map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := key.(string) // a key is always a string
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, err
		}
		read := find(fields, name)
		switch {
		case read == nil:
			return nil, fmt.Errorf("%s%s: unknown field, want one of %s", prefix, shorten(name), names(fields))
		case given[name]:
			return nil, fmt.Errorf("%s%s: given twice", prefix, name)
		}
		given[name] = true
		if err := read(prefix+name, raw); err != nil {
			return nil, err
		}
	}
	return given, nil
}

func readArray(path string, data []byte, each reader) error {
	var elements []json.RawMessage
	if err := json.Unmarshal(data, &elements); err != nil || elements == nil {
		return unwanted(path, data, "an array")
	}
	for i, raw := range elements {
		if err := each(fmt.Sprintf("%s[%d]", path, i), raw); err != nil {
			return err
		}
	}
	return nil
}

func into[T any](to *T, want string) reader {
	return func(path string, raw json.RawMessage) error {
		if string(raw) == "null" || json.Unmarshal(raw, to) != nil {
			return unwanted(path, raw, want)
		}
		return nil
	}
}

func duration(to *time.Duration) reader {
	return func(path string, raw json.RawMessage) error {
		var text string
		err := json.Unmarshal(raw, &text)
		if err == nil {
			*to, err = time.ParseDuration(text)
		}
		if err != nil {
			return unwanted(path, raw, `a duration such as "8s"`)
		}
		return nil
	}
}

func unwanted(path string, raw []byte, want string) error {
	if path == "" {
		return fmt.Errorf("is %s, want %s", shorten(string(raw)), want)
	}
	return fmt.Errorf("%s is %s, want %s", path, shorten(string(raw)), want)
}

func find(fields []field, name string) reader {
	for _, f := range fields {
		if f.name == name {
			return f.read
		}
	}
	return nil
}

func names(fields []field) string {
	all := make([]string, len(fields))
	for i, f := range fields {
		all[i] = f.name
	}
	return strings.Join(all, ", ")
}

// shorten keeps an error readable whatever the plan holds.
func shorten(s string) string {
	const most = 64
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
