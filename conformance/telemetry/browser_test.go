package telemetry_test

import (
	"bytes"
	"context"
	"image"
	_ "image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// The page as a browser shows it that runs no scripts. SEAWALL_SCREENSHOTS names a folder in which to look at it.
func TestDebugPageIsReadableInABrowserWithoutScripts(t *testing.T) {
	path := program(t, "chromium", "chromium-browser", "google-chrome")
	shop := open(t)
	shop.serve(t)
	allocator, stop := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1200, 900))...)
	defer stop()
	browser, end := chromedp.NewContext(allocator)
	defer end()
	noScripts := func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}
	if err := chromedp.Do(browser, chromedp.Func(noScripts)); err != nil { // starts it
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(browser, time.Minute)
	defer cancel()
	for name, target := range map[string]string{
		"overview": "/debug/seawall/",
		"one":      "/debug/seawall/?kind=breaker&name=payments",
	} {
		if err := chromedp.Do(ctx, chromedp.Navigate(shop.admin.URL+target)); err != nil {
			t.Fatal(err)
		}
		text := run(t, ctx, chromedp.Text("body"))
		shot := run(t, ctx, chromedp.FullScreenshot(100))
		wide := run(t, ctx, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > document.documentElement.clientWidth`))
		want := []string{"payments", "open", "seawall.breaker.state_changed"}
		if name == "overview" {
			want = append(want, "retry \"payments\"", "Policies", "Chains", "mail", "stock")
		} else {
			want = append(want, "Configuration in force", "failure_rate", "default", "calls.failure")
		}
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("%s: the browser shows no %q:\n%s", name, part, text)
			}
		}
		if wide {
			t.Errorf("%s: the page is wider than its window", name)
		}
		if folder := os.Getenv("SEAWALL_SCREENSHOTS"); folder != "" {
			if err := os.WriteFile(filepath.Join(folder, name+".png"), shot, 0o600); err != nil {
				t.Error(err)
			}
		}
		if n := colours(t, shot); n < 10 {
			t.Errorf("%s: the picture has %d colours", name, n)
		}
	}
}

func run[T any](t *testing.T, ctx context.Context, a chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// colours counts the colours of a picture: a blank one has one.
func colours(t *testing.T, png []byte) int {
	t.Helper()
	picture, _, err := image.Decode(bytes.NewReader(png))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[[3]uint32]bool{}
	for x := range picture.Bounds().Dx() {
		for y := range picture.Bounds().Dy() {
			r, g, b, _ := picture.At(x, y).RGBA()
			seen[[3]uint32{r, g, b}] = true
		}
	}
	return len(seen)
}
