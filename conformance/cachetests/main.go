// Command cachetests runs the public suite for HTTP caches, github.com/http-tests/cache-tests, against package
// httpcache behind a reverse proxy, and scores it by the suite's own rules:
//
//	git clone https://github.com/http-tests/cache-tests /elsewhere/cache-tests   # b55b8bd is what the figures are of
//	go run ./conformance/cachetests -suite /elsewhere/cache-tests [-shared] [-v] [-id <test>]
//
// The suite is not a part of this repository, and never becomes one. It needs Node 20; npm i undici@7 in its folder is
// for four tests of interim responses only. Without Node or the checkout the command says so and ends well.
//
// It fails if fewer than the required tests pass that passed before, or one fails that did not.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seawall-go/seawall/httpcache"
)

//go:embed loopback.mjs
var loopback []byte

//go:embed score.mjs
var score []byte

func main() {
	suite := flag.String("suite", os.Getenv("CACHE_TESTS"), "the checkout of http-tests/cache-tests")
	shared := flag.Bool("shared", false, "a shared cache instead of a private one")
	verbose := flag.Bool("v", false, "list all tests that do not pass")
	id := flag.String("id", "", "run one test, and show its messages")
	flag.Parse()
	if why := missing(*suite); why != "" {
		fmt.Println("skipped:", why)
		return
	}
	if err := run(*suite, *shared, *verbose, *id); err != nil {
		fmt.Fprintln(os.Stderr, "cachetests:", err)
		os.Exit(1)
	}
}

// missing says what the suite would need, or nothing.
func missing(suite string) string {
	if suite == "" {
		return "no checkout of http-tests/cache-tests given: -suite <path>"
	}
	if _, err := os.Stat(filepath.Join(suite, "test-engine", "cli.mjs")); err != nil {
		return "no checkout of http-tests/cache-tests at " + suite
	}
	if _, err := exec.LookPath("node"); err != nil {
		return "Node is not installed"
	}
	return ""
}

func run(suite string, shared, verbose bool, id string) error {
	suite, err := filepath.Abs(suite)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "cachetests")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for name, content := range map[string][]byte{"loopback.mjs": loopback, "score.mjs": score} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	origin, err := startOrigin(ctx, suite, dir)
	if err != nil {
		return err
	}
	base, stop, err := startProxy(ctx, origin, httpcache.Config{Shared: shared})
	if err != nil {
		return err
	}
	defer stop()

	cli := exec.CommandContext(ctx, "node", "--no-warnings", "test-engine/cli.mjs")
	cli.Dir = suite
	cli.Env = append(os.Environ(), "npm_config_base="+base, "npm_package_config_id=", "npm_config_id="+id)
	cli.Stderr = os.Stderr
	out, err := cli.Output()
	if err != nil {
		return err
	}
	if id != "" {
		fmt.Print(string(out))
		return nil
	}
	results := filepath.Join(dir, "out.json")
	if err := os.WriteFile(results, out, 0o600); err != nil {
		return err
	}
	scored, err := exec.CommandContext(ctx, "node", filepath.Join(dir, "score.mjs"), suite, results).Output()
	if err != nil {
		return err
	}
	var tests []test
	if err := json.Unmarshal(scored, &tests); err != nil {
		return err
	}
	return report(tests, shared, verbose)
}

// startOrigin starts the suite's origin, and returns where it is.
func startOrigin(ctx context.Context, suite, dir string) (*url.URL, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	server := exec.CommandContext(ctx, "node", "--import", filepath.Join(dir, "loopback.mjs"), "test-engine/server/server.mjs")
	server.Dir = suite
	server.Env = append(os.Environ(), "npm_config_protocol=http", "npm_config_port="+port,
		"npm_config_pidfile="+filepath.Join(dir, "pid"))
	var said bytes.Buffer
	server.Stderr = &said
	if err := server.Start(); err != nil {
		return nil, err
	}
	address := net.JoinHostPort("127.0.0.1", port)
	for range 100 {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
		if err == nil {
			_ = conn.Close()
			return &url.URL{Scheme: "http", Host: address}, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, fmt.Errorf("the suite's origin does not listen: %s", said.String())
}

func freePort(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// startProxy starts a reverse proxy with the cache as its transport.
func startProxy(ctx context.Context, origin *url.URL, cfg httpcache.Config) (base string, stop func(), err error) {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	cache := httpcache.New("suite", cfg, transport)
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(origin) },
		Transport: cache,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(http.StatusBadGateway) // the suite disconnects on purpose: nothing to log
		},
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(os.Stderr, "cachetests:", err)
		}
	}()
	return "http://" + l.Addr().String(), func() {
		_ = server.Close()
		<-served
		cache.Close()
		transport.CloseIdleConnections()
	}, nil
}

type test struct{ ID, Kind, Verdict, Detail string }

// sharedOnly are required of shared caches only, so a private one may fail them.
var sharedOnly = strings.Fields(`
	freshness-s-maxage-shared freshness-max-age-s-maxage-shared-longer freshness-max-age-s-maxage-shared-longer-reversed
	freshness-max-age-s-maxage-shared-longer-multiple cc-resp-private-shared stale-close-proxy-revalidate
	stale-close-s-maxage=2 headers-store-Proxy-Authenticate headers-store-Proxy-Authentication-Info
	headers-store-Proxy-Authorization headers-store-Proxy-Connection other-authorization cdn-max-age-age cdn-max-age-0
	cdn-max-age-0-expires cdn-max-age-long-cc-max-age cdn-private cdn-no-cache cdn-no-store-cc-fresh
	cdn-fresh-cc-nostore cdn-cc-invalid-sh-type-unknown cdn-cc-invalid-sh-type-wrong`)

// promised are not required by the suite, but by us.
var promised = []string{"stale-sie-503", "stale-sie-close", "stale-while-revalidate"}

// report prints the score, and returns an error if it is below what was reached.
func report(tests []test, shared, verbose bool) error {
	count := map[string]map[string]int{}
	var wrong []string
	for _, t := range tests {
		if count[t.Kind] == nil {
			count[t.Kind] = map[string]int{}
		}
		count[t.Kind][t.Verdict]++
		good := t.Verdict == "pass" || t.Verdict == "yes"
		if verbose && !good {
			fmt.Printf("%-16s %-9s %s  %s\n", t.Verdict, t.Kind, t.ID, t.Detail)
		}
		switch {
		case slices.Contains(promised, t.ID) && !good,
			t.Verdict == "fail" && (shared || !slices.Contains(sharedOnly, t.ID)):
			wrong = append(wrong, t.ID)
		}
	}
	for _, kind := range []string{"required", "optimal", "check"} {
		fmt.Println(kind, count[kind])
	}
	floor := floors[shared]
	if passed := count["required"]["pass"]; passed < floor {
		return fmt.Errorf("%d required tests pass, want at least %d", passed, floor)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("fail and should not: %s", strings.Join(wrong, " "))
	}
	return nil
}

// floors are how many of the 160 required tests have to pass, by whether the cache is shared.
var floors = map[bool]int{false: 137, true: 152}
