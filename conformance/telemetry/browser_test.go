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
	call := func(set func(ctx context.Context, target *chromedp.Target) error) {
		t.Helper()
		if err := chromedp.Do(browser, chromedp.Func(set)); err != nil {
			t.Fatal(err)
		}
	}
	call(func(ctx context.Context, target *chromedp.Target) error { // starts it
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})
	ctx, cancel := context.WithTimeout(browser, time.Minute)
	defer cancel()
	overview := []string{"payments", "breaker.state_changed", "retry \"payments\"", "Policies", "Chains", "mail", "stock", "Out of order", "turned away"}
	one := []string{"payments", "breaker.state_changed", "Configuration in force", "failure_rate", "default", "calls.failure", "shop_test.go:"}
	for _, look := range []struct {
		name, target, scheme string
		width                int64
		want                 []string
	}{
		{"overview", "/debug/seawall/", "light", 1200, overview},
		{"overview-dark", "/debug/seawall/", "dark", 1200, overview},
		{"overview-phone", "/debug/seawall/", "light", 400, overview},
		{"one", "/debug/seawall/?kind=breaker&name=payments", "light", 1200, one},
		{"one-dark", "/debug/seawall/?kind=breaker&name=payments", "dark", 1200, one},
		{"keys", "/debug/seawall/?kind=breaker&name=prices", "light", 1200, []string{"1 of 1", "prices[http://127.0.0.1", "max_keys", "closed"}},
	} {
		call(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.scheme}},
			})
			return err
		})
		call(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
				Width: look.width, Height: 900, DeviceScaleFactor: 1,
			})
			return err
		})
		if err := chromedp.Do(ctx, chromedp.Navigate(shop.admin.URL+look.target)); err != nil {
			t.Fatal(err)
		}
		text := run(t, ctx, chromedp.Text("body"))
		shot := run(t, ctx, chromedp.FullScreenshot(100))
		for _, part := range look.want {
			if !strings.Contains(text, part) {
				t.Errorf("%s: the browser shows no %q:\n%s", look.name, part, text)
			}
		}
		if run(t, ctx, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > document.documentElement.clientWidth`)) {
			t.Errorf("%s: the page is wider than its window", look.name)
		}
		if folder := os.Getenv("SEAWALL_SCREENSHOTS"); folder != "" {
			if err := os.WriteFile(filepath.Join(folder, look.name+".png"), shot, 0o600); err != nil {
				t.Error(err)
			}
		}
		n, dark := colours(t, shot)
		if n < 10 || dark != (look.scheme == "dark") {
			t.Errorf("%s: the picture has %d colours, and is dark: %t", look.name, n, dark)
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

// colours counts the colours of a picture, of which a blank one has one, and tells whether most of it is dark.
func colours(t *testing.T, png []byte) (n int, dark bool) {
	t.Helper()
	picture, _, err := image.Decode(bytes.NewReader(png))
	if err != nil {
		t.Fatal(err)
	}
	seen, darkOnes := map[[3]uint32]bool{}, 0
	size := picture.Bounds().Size()
	for x := range size.X {
		for y := range size.Y {
			r, g, b, _ := picture.At(x, y).RGBA()
			seen[[3]uint32{r, g, b}] = true
			if r+g+b < 3*0x5000 {
				darkOnes++
			}
		}
	}
	return len(seen), 2*darkOnes > size.X*size.Y
}
