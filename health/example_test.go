package health_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/health"
)

// silent is a registry that logs nothing, so that the examples print only what they show.
func silent() *seawall.Registry {
	r := new(seawall.Registry)
	r.SetLogger(slog.New(slog.DiscardHandler))
	return r
}

func ExampleNew() {
	ready := make(chan struct{}, 1)
	h := health.New("box-office", health.Config{
		Registry: silent(), // left out in a program
		OnChange: func(c health.Change) {
			if c.Check == "" && c.To == health.Pass {
				ready <- struct{}{}
			}
		},
	})
	err := h.Add(
		health.Check{Name: "database", Run: func(context.Context) error { return nil }},
		health.Check{Name: "disk", Scope: health.Local, Run: health.Disk(".", 1)},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	h.Start()
	defer func() { _ = h.Stop(context.Background()) }()
	<-ready

	resp := httptest.NewRecorder()
	h.Handler().ServeHTTP(resp, httptest.NewRequest(http.MethodGet, "/readyz", http.NoBody))
	fmt.Print(resp.Code, " ", resp.Body)
	h.Drain()
	resp = httptest.NewRecorder()
	h.Handler().ServeHTTP(resp, httptest.NewRequest(http.MethodGet, "/readyz", http.NoBody))
	fmt.Print(resp.Code, " ", resp.Body)
	// Output:
	// 200 {"status":"pass"}
	// 503 {"status":"fail"}
}

func ExampleHealth_Add() {
	h := health.New("box-office", health.Config{Registry: silent()})
	check := health.Check{Name: "mail", Severity: health.Optional, Run: health.TCP("mail:25")}
	fmt.Println(h.Add(check))
	err := h.Add(check)
	fmt.Println(errors.Is(err, health.ErrDuplicate), err)
	// Output:
	// <nil>
	// true health: the name is taken: check "mail"
}

func ExampleHealth_Watchdog() {
	h := health.New("box-office", health.Config{Registry: silent()})
	loop, err := h.Watchdog("seat events", 30*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer loop.Close()
	for range 3 { // the loop itself
		loop.Beat()
	}
	fmt.Println("alive:", h.Alive())
	// Output: alive: true
}
