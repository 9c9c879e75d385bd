package seawall_test

import (
	"bufio"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seawall-go/seawall"
)

func TestZeroPermitBelongsToNoGate(t *testing.T) {
	var p seawall.Permit
	for range 3 {
		if p.Done(nil) || p.Done(errDown) {
			t.Error("it counted")
		}
	}
}

// issuer tells what it was told.
type issuer struct {
	told   atomic.Int64
	ticket seawall.Ticket
	err    error
}

func (i *issuer) Release(ticket seawall.Ticket, err error) bool {
	i.told.Add(1)
	i.ticket, i.err = ticket, err
	return true
}

// T31
func TestPermitTellsItsGateOnce(t *testing.T) {
	for range 1000 {
		i := &issuer{}
		p := seawall.NewPermit(i, seawall.Ticket{Generation: 7, Start: -5})
		var counted atomic.Int64
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if p.Done(errDown) {
					counted.Add(1)
				}
			})
		}
		all.Wait()
		if i.told.Load() != 1 || counted.Load() != 1 || i.ticket != (seawall.Ticket{Generation: 7, Start: -5}) || i.err != errDown { //nolint:errorlint // the very error
			t.Fatalf("told %d times, counted %d; %+v, %v", i.told.Load(), counted.Load(), i.ticket, i.err)
		}
	}
}

// A copy would be a second right to call Done. testdata has two, and the lines that are right.
func TestVetFindsCopiesOfAPermit(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "vet", "./testdata/permitcopy").CombinedOutput()
	if err == nil {
		t.Fatal("go vet finds nothing")
	}
	var found []string
	for line := range strings.Lines(string(out)) {
		if _, at, ok := strings.Cut(line, "copies.go:"); ok && strings.Contains(line, "Permit contains sync/atomic") {
			number, _, _ := strings.Cut(at, ":")
			found = append(found, number)
		}
	}
	f, err := os.Open("testdata/permitcopy/copies.go")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var wanted []string
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		if strings.HasSuffix(lines.Text(), "// wanted") {
			wanted = append(wanted, strconv.Itoa(n))
		}
	}
	if !slices.Equal(found, wanted) {
		t.Errorf("go vet finds copies in lines %v, want %v:\n%s", found, wanted, out)
	}
}

// timekeeper is an issuer that notes when the answer began.
type timekeeper struct {
	issuer
	answers int
}

func (k *timekeeper) Answered(t seawall.Ticket) seawall.Ticket {
	k.answers++
	t.Answer = 42
	return t
}

func TestPermitTellsItsGateOnceThatTheAnswerHasBegun(t *testing.T) {
	k := &timekeeper{}
	p := seawall.NewPermit(k, seawall.Ticket{Generation: 7})
	p.Answered()
	p.Answered()
	p.Done(nil)
	if want := (seawall.Ticket{Generation: 7, Answer: 42}); k.answers != 1 || k.ticket != want {
		t.Errorf("told %d times, the ticket is %+v", k.answers, k.ticket)
	}
	i := &issuer{} // one that does not go by time
	q := seawall.NewPermit(i, seawall.Ticket{Generation: 7})
	q.Answered()
	q.Done(nil)
	if i.ticket != (seawall.Ticket{Generation: 7}) {
		t.Errorf("the ticket is %+v", i.ticket)
	}
	var none seawall.Permit
	none.Answered()
}
