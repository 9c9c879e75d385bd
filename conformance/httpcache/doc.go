// Package httpcache holds the tests of package httpcache with what its own tests must not import: the client of httpx
// inside of it, and the server's helpers of httpx before it, with a CDN and browsers between.
package httpcache
