// Package examples holds small programs, one idea each, in folders of their own: go run ./examples/<name>.
package examples
