// Package edge is the customers' side: what an app or a shop's page does to ask the box office, and how it looks at the
// answer. The two arms differ only in the http.Client that it is given.
package edge
