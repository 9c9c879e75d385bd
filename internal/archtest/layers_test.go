package archtest_test

import (
	"slices"
	"strings"
)

// modulePath is the root module, and the prefix of all others.
const modulePath = "github.com/seawall-go/seawall"

// layer is a row of the house. A package may import those of lower rows, and of its own where peers is true.
type layer struct {
	name  string
	rooms []string // folders of the repository; what is below one belongs to it
	peers bool
}

const (
	contract = iota
	primitives
	parts
	adapters
)

// layers is the house from the bottom to the top. A folder without a row fails the test, so that a new package gets its
// place before it gets its imports.
var layers = []layer{
	contract: {name: "contract", rooms: []string{"."}},
	primitives: {name: "primitive", rooms: []string{
		"breaker", "retry", "hedge", "timeout", "bulkhead", "ratelimit", "degrade", "fault",
	}},
	parts:    {name: "part", rooms: []string{"cache", "httpcache", "health", "lifecycle", "telemetry", "policyfile"}, peers: true},
	adapters: {name: "adapter", rooms: []string{"httpx", "grpcx", "wsx"}, peers: true},
	{name: "kit", rooms: []string{"seawalltest", "redisx", "natsx", "durable"}, peers: true},
	{name: "program", rooms: []string{"demo", "benchmarks", "examples", "conformance"}},
}

// libraries is every package outside of the standard library that the root module may import, tests included, by
// the start of its path, with the rooms that exist for it. Others need a written reason in CONTRIBUTING.md first.
var libraries = map[string][]string{
	"github.com/cenkalti/backoff/v4":        {"retry"},
	"github.com/coder/websocket":            {"wsx"},
	"github.com/dunglas/httpsfv":            {"httpx", "httpcache"},
	"github.com/hashicorp/go-retryablehttp": {"httpx"},
	"github.com/maypok86/otter/v2":          {"cache", "httpcache"},
	"github.com/sony/gobreaker/v2":          {"breaker"},
	"go.opentelemetry.io/otel":              {"telemetry", "httpx", "grpcx"},
	"go.yaml.in/yaml/v4":                    {"policyfile"},
	"golang.org/x/time/rate":                {"ratelimit"},
	"google.golang.org/genproto/googleapis": {"grpcx"},
	"google.golang.org/grpc":                {"grpcx"},
	"google.golang.org/protobuf":            {"grpcx"},
}

// room is the folder in layers that a package belongs to: "." for the contract, "internal" for what is shared.
func room(importPath string) string {
	rest := strings.TrimPrefix(importPath, modulePath)
	if rest == "" {
		return "."
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	return first
}

// layerOf is the row of a room, or -1.
func layerOf(room string) int {
	return slices.IndexFunc(layers, func(l layer) bool { return slices.Contains(l.rooms, room) })
}

// refusal says why a package of one room must not import one of another, or is empty if it may.
//
// Internal packages lie under the contract, which imports some of them, and may import it where Go allows that: never
// more. Tests may also import their peers, since composition has to be tested somewhere, and the contract's tests the
// primitives.
func refusal(from, to string, test bool) string {
	if from == to || to == "internal" {
		return ""
	}
	if from == "internal" {
		from = "."
	}
	f, t := layerOf(from), layerOf(to)
	reach := f
	if test {
		reach = max(f, primitives)
	}
	switch {
	case f < 0 || t < 0:
		return "a folder has no row in the table of layers"
	case t > reach:
		return "a " + layers[f].name + " lies below a " + layers[t].name
	case t == f && f != contract && !layers[f].peers && !test:
		return "one " + layers[f].name + " does not import another"
	}
	return ""
}

// foreign reports whether an import path is of neither the standard library nor this repository.
func foreign(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return strings.Contains(first, ".") && !ours(importPath)
}

func ours(importPath string) bool {
	return importPath == modulePath || strings.HasPrefix(importPath, modulePath+"/")
}
