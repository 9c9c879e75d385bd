package policyfile

import (
	"encoding"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// number reports whether a zero is what a key that is left out would be, though it looks like a value.
func number(v reflect.Value) bool {
	return !hasText(v.Type()) && !readsJSON(v.Type()) && (v.CanInt() || v.CanUint() || v.CanFloat())
}

// setScalar sets what the text of a node says, if it says something of v's type.
func setScalar(v reflect.Value, n *yaml.Node) bool {
	tag := n.ShortTag()
	switch {
	case hasText(v.Type()):
		return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Value)) == nil
	case readsJSON(v.Type()):
		return v.Addr().Interface().(json.Unmarshaler).UnmarshalJSON([]byte(jsonText(n))) == nil
	case v.Type() == durationType:
		length, err := time.ParseDuration(n.Value)
		if err != nil || tag != "!!str" {
			return false
		}
		v.SetInt(int64(length))
	case v.CanInt():
		i, err := strconv.ParseInt(decimal(n.Value), 10, 64)
		if err != nil || tag != "!!int" || v.OverflowInt(i) {
			return false
		}
		v.SetInt(i)
	case v.CanUint():
		i, err := strconv.ParseUint(decimal(n.Value), 10, 64)
		if err != nil || tag != "!!int" || v.OverflowUint(i) {
			return false
		}
		v.SetUint(i)
	case v.CanFloat():
		f, err := strconv.ParseFloat(n.Value, 64)
		if err != nil || tag != "!!int" && tag != "!!float" || math.IsInf(f, 0) || math.IsNaN(f) {
			return false
		}
		v.SetFloat(f)
	case v.Kind() == reflect.Bool:
		if n.Value != "true" && n.Value != "false" || tag != "!!bool" {
			return false
		}
		v.SetBool(n.Value == "true")
	case v.Kind() == reflect.String:
		if !isText(n) {
			return false
		}
		v.SetString(n.Value)
	default:
		return false
	}
	return true
}

// readsJSON reports whether values of the type are numbers that have names in JSON only, such as a codes.Code of gRPC.
func readsJSON(t reflect.Type) bool {
	return t.Kind() != reflect.Struct && reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]())
}

// jsonText returns a number as it is, and all else as a text.
func jsonText(n *yaml.Node) string {
	if number := decimal(n.Value); n.ShortTag() == "!!int" && number != "" {
		return number
	}
	return quoted(n.Value)
}

// decimal returns the digits of a number that all readers of YAML and JSON take for the same.
func decimal(text string) string {
	digits := strings.TrimLeft(text, "+-")
	if len(digits) > 1 && digits[0] == '0' {
		return "" // octal for some
	}
	return strings.ReplaceAll(text, "_", "")
}

// describeType says what values a type has.
func describeType(t reflect.Type, words []word) string {
	text := "text in quotes"
	switch v := reflect.New(t).Elem(); {
	case hasText(t):
		text = "one of " + strings.Join(textsOf(t), ", ")
	case readsJSON(t):
		text = "a " + t.String()
	case t == durationType:
		text = "a duration such as 500ms"
	case v.CanInt() || v.CanUint():
		text = "a whole number"
	case v.CanFloat():
		text = "a number"
	case t.Kind() == reflect.Bool:
		text = "true or false"
	}
	for _, w := range words {
		text += ", or " + w.text
	}
	return text
}

// textsOf returns the texts of an enumeration, which are those of the values from 0 on.
func textsOf(t reflect.Type) (texts []string) {
	for i := range 256 {
		v := reflect.New(t).Elem()
		if !v.CanUint() && !v.CanInt() {
			return nil
		}
		v.Set(reflect.ValueOf(i).Convert(t))
		text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil {
			break
		}
		if len(text) > 0 { // a zero that is only the default may have none
			texts = append(texts, string(text))
		}
	}
	return texts
}
