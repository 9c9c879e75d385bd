package restart_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"
)

// process is a server in a process of its own.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	out    *bufio.Scanner
	url    string
	client *http.Client
	rpc    *grpc.ClientConn
	ready  atomic.Bool
	stop   context.CancelFunc // of the goroutine that asks for its readiness
	asking chan struct{}      // closed when that has ended
}

// begin starts a server and waits until it says where it listens.
func begin(t *testing.T) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self) //nolint:gosec // this test's own program
	cmd.Env = append(os.Environ(), asServer+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, out: bufio.NewScanner(out), client: &http.Client{Transport: &http.Transport{}}}
	if !p.out.Scan() {
		t.Fatal("the server has not said where it listens")
	}
	web, rpc, _ := strings.Cut(p.out.Text(), " ")
	p.url = "http://" + web
	if p.rpc, err = grpc.NewClient(rpc, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p.stop, p.asking = cancel, make(chan struct{})
	go p.ask(ctx)
	return p
}

// ask asks for the readiness ten times a second, as a load balancer does.
func (p *process) ask(ctx context.Context) {
	defer close(p.asking)
	for ctx.Err() == nil {
		code, _, err := p.get(ctx, "/readyz")
		p.ready.Store(err == nil && code == http.StatusOK)
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	p.ready.Store(false)
}

func (p *process) get(ctx context.Context, path string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func (p *process) call(ctx context.Context) error {
	answer, err := grpc_testing.NewTestServiceClient(p.rpc).UnaryCall(ctx, &grpc_testing.SimpleRequest{})
	if err == nil && answer.GetUsername() != "done" {
		err = fmt.Errorf("the answer is %q", answer.GetUsername())
	}
	return err
}

// terminate signals the process, waits for its end, and returns how long that took and what it said in the end.
func (p *process) terminate() (took time.Duration, said string) {
	p.t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	for p.out.Scan() {
		said += p.out.Text() + "\n"
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the server has ended with %v, want exit code 0", err)
	}
	took = time.Since(began)
	p.stop()
	<-p.asking
	p.client.CloseIdleConnections()
	_ = p.rpc.Close()
	return took, said
}

// fleet is the servers that a load balancer sends to.
type fleet struct {
	mu   sync.Mutex
	all  []*process
	next int
}

func (f *fleet) add(p *process) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, p)
}

func (f *fleet) remove(p *process) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, other := range f.all {
		if other == p {
			f.all = append(f.all[:i:i], f.all[i+1:]...)
			return
		}
	}
}

// pick returns one that is ready, in turn; nil if none is.
func (f *fleet) pick() *process {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range f.all {
		f.next++
		if p := f.all[f.next%len(f.all)]; p.ready.Load() {
			return p
		}
	}
	return nil
}

func waitReady(t *testing.T, p *process) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !p.ready.Load(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the server does not become ready")
		}
	}
}

func TestRollingRestartFailsNoRequest(t *testing.T) {
	f := new(fleet)
	for range 2 {
		p := begin(t)
		waitReady(t, p)
		f.add(p)
	}
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var sent, failed atomic.Int64
	for i := range 16 {
		load.Go(func() {
			for ctx.Err() == nil {
				p := f.pick()
				if p == nil {
					failed.Add(1)
					t.Error("no server is ready")
					return
				}
				var err error
				if i%2 == 0 {
					var code int
					var body string
					if code, body, err = p.get(t.Context(), "/work"); err == nil && (code != http.StatusOK || body != "done") {
						err = fmt.Errorf("status %d: %s", code, body)
					}
				} else {
					err = p.call(t.Context())
				}
				if sent.Add(1); err != nil {
					failed.Add(1)
					t.Error(err)
				}
			}
		})
	}
	for range 2 { // one after the other: a new one first, then the old one goes
		time.Sleep(300 * time.Millisecond)
		fresh := begin(t)
		waitReady(t, fresh)
		f.add(fresh)
		old := f.all[0]
		took, said := old.terminate()
		f.remove(old)
		if took < time.Second || said != "cut: []\n" {
			t.Errorf("it ended after %v and said %q; it is to serve on for 1 s, and to end by itself", took, said)
		}
	}
	time.Sleep(300 * time.Millisecond)
	stop()
	load.Wait()
	t.Logf("%d requests, %d failed", sent.Load(), failed.Load())
	if sent.Load() < 500 {
		t.Errorf("only %d requests were sent", sent.Load())
	}
	for _, p := range f.all {
		p.terminate()
	}
}

func TestStuckHandlerIsCutOffAtTheHardStop(t *testing.T) {
	p := begin(t)
	waitReady(t, p)
	ended := make(chan error, 1)
	go func() {
		_, _, err := p.get(t.Context(), "/stuck")
		ended <- err
	}()
	time.Sleep(200 * time.Millisecond) // it is in the handler, which nobody sees from here
	took, said := p.terminate()
	if took < 3*time.Second || said != "cut: [web]\n" {
		t.Errorf("it ended after %v and said %q", took, said)
	}
	if err := <-ended; err == nil {
		t.Error("the stuck request has an answer")
	}
}
