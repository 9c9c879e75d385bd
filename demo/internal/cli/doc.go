// Package cli is the command line of the box office: flags, what the terminal shows, exit codes.
package cli
