// Package examples holds small programs, one idea each, in folders of their own: go run ./examples/<name>.
//
//	service       how the parts go together in one service: begin here
//	httpclient    a client that repeats what may be repeated, and stops asking a server that is down
//	httpserver    priorities, a quota for each client, and a repeated order that is no second one
//	reverseproxy  net/http's ReverseProxy between a handler and a transport of httpx
//	httpcache     an HTTP cache that goes on to answer while its origin is gone
//	pricecache    stale prices, marked as such, while the price service is down
//	grpc          client and server: what is repeated, and how a full server says when to come back
//	prometheus    /metrics, probes and the debug page on a listener of their own
//	otlp          the same metrics, pushed to a collector
//	faulttest     a test that hurts an HTTP client on purpose: go test ./examples/faulttest
package examples
