package debugpage

import (
	"bytes"
	"context"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/seawall-go/seawall"
)

//go:embed page.html
var source string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"spark": spark,
	"n":     func(v float64) string { return number(v).String() },
	"event": func(name string) string { return strings.TrimPrefix(name, "seawall.") }, // as all begin
}).Parse(source))

// view is what the template is given.
type view struct {
	overview
	One     *memberFacts // the member that is shown by itself
	Actions []string     // modes that can be set; nil if nobody may
	Token   string
	Who     string
}

// ServeHTTP shows the page, one member by ?kind= and &name=, both as JSON with &format=json, and sets a mode by POST.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		p.show(w, r)
	case http.MethodPost:
		p.act(w, r)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

func (p *Page) show(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	var v view
	if query.Has("name") {
		v.overview = p.look(&memberID{query.Get("kind"), query.Get("name")})
		if len(v.Members) == 0 {
			http.Error(w, "there is no such policy", http.StatusNotFound)
			return
		}
		v.One = &v.Members[0]
	} else {
		v.overview = p.look(nil)
	}
	if query.Get("format") == "json" {
		var facts any = v.overview
		if v.One != nil {
			facts = v.One
		}
		b, err := json.Marshal(facts)
		if err != nil {
			http.Error(w, "the facts could not be written", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(b, '\n'))
		return
	}
	if p.cfg.Authorize != nil {
		if who, ok := p.cfg.Authorize(r); ok {
			v.Who, v.Token = who, p.token
			v.Actions = []string{"enforce", "shadow", "forced_open", "forced_closed", "off"}
		}
	}
	var b bytes.Buffer // so that an error of the template does not make half a page
	if err := page.Execute(&b, v); err != nil {
		http.Error(w, "the page could not be rendered", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	_, _ = w.Write(b.Bytes())
}

// act sets a gate's mode.
func (p *Page) act(w http.ResponseWriter, r *http.Request) {
	if p.cfg.Authorize == nil {
		http.Error(w, "nothing can be changed here", http.StatusForbidden)
		return
	}
	who, ok := p.cfg.Authorize(r)
	if !ok {
		http.Error(w, "not allowed", http.StatusForbidden)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form cannot be read", http.StatusBadRequest)
		return
	}
	if subtle.ConstantTimeCompare([]byte(r.PostForm.Get("token")), []byte(p.token)) != 1 {
		http.Error(w, "the form is not of this page: load it again", http.StatusForbidden)
		return
	}
	var mode seawall.Mode
	if err := mode.UnmarshalText([]byte(r.PostForm.Get("mode"))); err != nil {
		http.Error(w, "there is no such mode", http.StatusBadRequest)
		return
	}
	kind, name := r.PostForm.Get("kind"), r.PostForm.Get("name")
	gate := p.gate(kind, name)
	if gate == nil {
		http.Error(w, "there is no such gate", http.StatusNotFound)
		return
	}
	if err := gate.SetMode(mode); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.cfg.Registry.Log(context.WithoutCancel(r.Context()), slog.LevelWarn, "seawall.gate.forced", slog.String("kind", kind), slog.String("name", name),
		slog.String("to", mode.String()), slog.String("who", who))
	// Relative, and not made absolute by http.Redirect, which does not know what a StripPrefix has taken off.
	w.Header().Set("Location", "?"+url.Values{"kind": {kind}, "name": {name}}.Encode())
	w.WriteHeader(http.StatusSeeOther)
}

type gate interface{ SetMode(mode seawall.Mode) error }

func (p *Page) gate(kind, name string) gate {
	for _, m := range p.cfg.Registry.Members() {
		s, ok := p.snapshot(m)
		if !ok {
			continue
		}
		if s.Kind != kind || s.Name != name {
			m = p.key(m, s, memberID{kind, name})
		}
		if g, ok := m.(gate); ok {
			return g
		}
	}
	return nil
}

// spark draws the last minute: a bar for each five seconds, of what went well, what did not, and what was not let in.
func spark(m memberFacts) template.HTML {
	if len(m.Minute) == 0 {
		return ""
	}
	most := 1.0
	for _, c := range m.Minute {
		most = max(most, c.Good+c.Bad+c.Rejected)
	}
	var b strings.Builder
	const height, width = 24.0, 8
	sum := m.Ends()
	fmt.Fprintf(&b, `<svg class="spark" width="%d" height="%d" role="img" aria-label="the last minute"><title>%v good, %v bad, %v turned away</title>`,
		width*bars, int(height), number(sum.Good), number(sum.Bad), number(sum.Rejected))
	fmt.Fprintf(&b, `<rect class="base" x="0" y="%d" width="%d" height="1"/>`, int(height)-1, width*bars)
	for i, c := range m.Minute {
		y, x := height, width*(bars-len(m.Minute)+i) // the latest is at the right, however long the page has been there
		for _, part := range [...]struct {
			v     float64
			class string
		}{{c.Good, "good"}, {c.Bad, "bad"}, {c.Rejected, "rejected"}} {
			if part.v > 0 {
				h := max(1, part.v/most*height) // what has happened is seen, however rare
				y -= h
				fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%.1f" width="%d" height="%.1f"/>`, part.class, x, max(0, y), width-1, h)
			}
		}
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // numbers and words of ours only
}
