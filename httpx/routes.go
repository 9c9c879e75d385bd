package httpx

import (
	"fmt"
	"net/http"
)

// routes are requests by the patterns of http.ServeMux.
type routes struct{ mux *http.ServeMux }

// newRoutes makes the routes of valid patterns; nil of none.
func newRoutes(patterns []string) *routes {
	if len(patterns) == 0 {
		return nil
	}
	mux := http.NewServeMux()
	for _, p := range patterns {
		mux.Handle(p, http.NotFoundHandler())
	}
	return &routes{mux}
}

// match reports whether a request is one of them.
func (s *routes) match(r *http.Request) bool { return s.pattern(r) != "" }

// pattern returns the pattern of a request, and "" if there is none.
func (s *routes) pattern(r *http.Request) string {
	if s == nil {
		return ""
	}
	_, pattern := s.mux.Handler(r)
	return pattern
}

// validateRoutes returns an error for a pattern that http.ServeMux does not take, or that conflicts with another.
func validateRoutes(field string, patterns []string) (err error) {
	mux := http.NewServeMux()
	for i, p := range patterns {
		func() {
			defer func() {
				if v := recover(); v != nil {
					err = fmt.Errorf("httpx: %s[%d] is %q, want a pattern of http.ServeMux beside the others: %v", field, i, p, v)
				}
			}()
			mux.Handle(p, http.NotFoundHandler())
		}()
		if err != nil {
			return err
		}
	}
	return nil
}
