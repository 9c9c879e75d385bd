package policyfile_test

import (
	"context"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall/policyfile"
	"github.com/seawall-go/seawall/timeout"
)

// disk is a file system with one file that changes.
type disk struct {
	mu    sync.Mutex // guards the fields below
	text  string
	gone  bool
	reads int
}

func (d *disk) Open(name string) (fs.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reads++
	if d.gone {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return fstest.MapFS{name: {Data: []byte(d.text)}}.Open(name)
}

func (d *disk) write(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.text, d.gone = text, false
}

func (d *disk) remove() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gone = true
}

func TestWatchTakesOverWhatHasSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{text: "chains: {a: [timeout: {limit: 1s}]}"}
		var mu sync.Mutex
		var told []string
		set, err := policyfile.LoadFS(d, "policies.yaml", policyfile.Options{
			Registry: quiet(),
			OnReload: func(r policyfile.Reloaded) {
				text := strings.Join(r.Updated, " ")
				if r.Err != nil {
					text = r.Err.Error()
				}
				mu.Lock()
				defer mu.Unlock()
				told = append(told, text)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			set.Watch(ctx, time.Second)
		}()
		limit := func() time.Duration { return member[*timeout.Timeout](t, set.Chain("a").Current(), 0).Config().Limit }
		after := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		want := func(step string, wantLimit time.Duration, wantTold ...string) {
			t.Helper()
			mu.Lock()
			defer mu.Unlock()
			if got := limit(); got != wantLimit || strings.Join(told, "\n") != strings.Join(wantTold, "\n") {
				t.Errorf("%s: the limit is %v, want %v; told of %q, want %q", step, got, wantLimit, told, wantTold)
			}
			told = nil
		}

		after(5500 * time.Millisecond)
		want("nothing has changed", time.Second)

		d.write("chains: {a: [timeout: {limit: 2s}]}")
		after(time.Second)
		want("found once", time.Second)
		after(time.Second)
		want("found twice", 2*time.Second, `timeout "a"`)
		after(10 * time.Second)
		want("taken over once", 2*time.Second)

		d.write("chains: {a: [timeout: {limit: 3s") // being written
		after(time.Second)
		d.write("chains: {a: [timeout: {limit: 3s}]}")
		after(time.Second)
		want("it was not whole", 2*time.Second)
		after(time.Second)
		want("it is whole", 3*time.Second, `timeout "a"`)

		d.write("chains: {a: [timeout: {limit: 4}]}")
		after(10 * time.Second)
		want("a bad file, told once", 3*time.Second,
			"policies.yaml:1: chains.a[0].timeout.limit is 4, want a duration such as 500ms, or off")
		d.write("chains: {a: [timeout: {limit: 3s}]}")
		after(10 * time.Second)
		want("back to the good one", 3*time.Second)

		d.remove()
		after(10 * time.Second)
		want("gone, told once", 3*time.Second, "policyfile: open policies.yaml: file does not exist")
		d.write("chains: {a: [timeout: {limit: 5s}]}")
		after(10 * time.Second)
		want("there again", 5*time.Second, `timeout "a"`)
		d.remove()
		after(10 * time.Second)
		want("gone again", 5*time.Second, "policyfile: open policies.yaml: file does not exist")

		cancel()
		<-ended
		reads := d.reads // the reader is gone
		after(time.Hour)
		if d.reads != reads {
			t.Error("it still reads")
		}
	})
}

func TestWatchRefusesWhatCannotBe(t *testing.T) {
	set := parse(t, "chains: {a: [retry]}", policyfile.Options{})
	loaded, err := policyfile.LoadFS(&disk{text: "chains: {a: [retry]}"}, "x", policyfile.Options{Registry: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	for want, watch := range map[string]func(){
		"the set was made by Parse, and has no file: see Update": func() { set.Watch(t.Context(), time.Second) },
		"every is 0s, want more than 0":                          func() { loaded.Watch(t.Context(), 0) },
		"every is -1ns, want more than 0":                        func() { loaded.Watch(t.Context(), -1) },
	} {
		func() {
			defer func() {
				if got := recover(); got != "policyfile: Watch: "+want {
					t.Errorf("panic is %v, want %q", got, want)
				}
			}()
			watch()
		}()
	}
}
