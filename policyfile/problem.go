package policyfile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	File string // its name as it was given to Load; empty for Parse and Decode
	Line int    // counted from 1; 0 if the problem has no place in the file
	Path string // such as chains.payments[2].breaker.failure_rate; empty for the file as a whole
	Text string // what is wrong, such as: is 1.5, want 0.000001 to 1
}

// Error returns such as: policies.yaml:12: chains.payments[2].breaker.failure_rate is 1.5, want 0.000001 to 1.
func (p *Problem) Error() string {
	where := p.File
	switch {
	case where == "" && p.Line > 0:
		where = fmt.Sprintf("line %d", p.Line)
	case where == "":
		where = "policyfile"
	case p.Line > 0:
		where = fmt.Sprintf("%s:%d", where, p.Line)
	}
	if p.Path == "" {
		return where + ": " + p.Text
	}
	return where + ": " + p.Path + " " + p.Text
}

// Error is everything that is wrong with a file, the first 100 problems at the most, in the order of their lines.
type Error struct {
	Problems []*Problem
	More     int // how many were left out
}

// Error returns the texts of the problems, one on each line.
func (e *Error) Error() string {
	texts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		texts[i] = p.Error()
	}
	if e.More > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", e.More))
	}
	return strings.Join(texts, "\n")
}

// Unwrap returns the problems.
func (e *Error) Unwrap() []error {
	errs := make([]error, len(e.Problems))
	for i, p := range e.Problems {
		errs[i] = p
	}
	return errs
}

const maxProblems = 100

// problems are collected while a file is read.
type problems struct {
	file string
	list []*Problem
	only string // what makes all others pointless
}

func (ps *problems) add(line int, path, format string, args ...any) {
	ps.list = append(ps.list, &Problem{ps.file, line, path, fmt.Sprintf(format, args...)})
}

// err returns all of them, or nil.
func (ps *problems) err() error {
	if ps.only != "" {
		return &Error{Problems: []*Problem{{File: ps.file, Text: ps.only}}}
	}
	if len(ps.list) == 0 {
		return nil
	}
	slices.SortStableFunc(ps.list, func(a, b *Problem) int { return cmp.Compare(a.Line, b.Line) })
	shown := min(len(ps.list), maxProblems)
	return &Error{Problems: ps.list[:shown], More: len(ps.list) - shown}
}
