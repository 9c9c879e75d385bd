package policyfile_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/seawall-go/seawall/policyfile"
)

var rewrite = flag.Bool("update", false, "write the golden files again")

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(file, got, 0o644); err != nil { //nolint:gosec // a file of the repository
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not up to date, see go test ./policyfile -update:\n%s", file, got)
	}
}

func TestReferenceIsTheOneInTheRepository(t *testing.T) {
	var text bytes.Buffer
	if err := policyfile.Reference(&text); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/reference.txt", text.Bytes())
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errDown }

func TestErrorsOfWritersAreTold(t *testing.T) {
	if err := policyfile.Reference(brokenWriter{}); !errors.Is(err, errDown) {
		t.Errorf("error is %v", err)
	}
	set := parse(t, "chains: {a: [retry]}", policyfile.Options{})
	if n, err := set.WriteTo(brokenWriter{}); n != 0 || !errors.Is(err, errDown) {
		t.Errorf("%d, %v", n, err)
	}
	var text strings.Builder
	if n, err := set.WriteTo(&text); n != int64(text.Len()) || err != nil || text.String() != set.Text() {
		t.Errorf("%d of %d, %v", n, text.Len(), err)
	}
}

func TestNamesThatMeanSomethingInYAMLSurviveTheText(t *testing.T) {
	for _, name := range []string{
		"a", "a.b/c-d_e", "5", "-", "~", "null", "true", "off", "No", "y", "a: b", "a #b", "# a", "'", `"`, `\`, "[", "{a}", "*a", "&a", "!a",
		"|", ">", "%", "@", "`", "é", "日本", "😀", " a", "a ", "1e3", "0x1", ".inf", "2001-01-01", "<<", "=", "a,b", "? a", "- a", "---",
	} {
		file := "{\"chains\": {" + quoteJSON(name) + ": [breaker, timeout: {name: " + quoteJSON(name+"x") + "}]}}"
		set := parse(t, file, policyfile.Options{})
		if got := set.Names()[0]; got != name {
			t.Errorf("%q was read as %q", name, got)
		}
		if again := parse(t, set.Text(), policyfile.Options{}); !policyfile.Equal(set, again) {
			t.Errorf("%q: the text is another file:\n%s", name, set.Text())
		}
	}
}

func quoteJSON(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

func FuzzParse(f *testing.F) {
	example, err := os.ReadFile("testdata/policies.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	for _, seed := range []string{
		"", "chains: {a: [retry]}", `{"chains": {"a": [{"timeout": {"limit": "5s"}}]}}`,
		"budgets: {b: {burst: 5}}\nchains: {a: [retry: {budget: b, funding: none}, hedge: {budget: b}]}",
		"x-a: &a {<<: *a}\nchains: {a: [<<: *a]}", "chains: {a: {per_key: {max_keys: 5}, policies: &p [breaker, *p]}}",
		"chains: {a: [breaker: {window: {time: 1s, calls: 5}, failure_rate: 1e-7, mode: off}, bulkhead: {queue: {limit: none}}]}",
		"chains: {a: [ratelimit: {rate: unlimited, burst: 0, max_wait: none}, timeout: {limit: off}]}",
		"chains: {? {a: b} : [retry], \"\\u0000\": !!str x}", "%YAML 1.1\n---\nchains: [", "chains: {a: [fallback: {always_exercise: .nan}]}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		opts := policyfile.Options{Bind: bindings, Registry: quiet()}
		set, err := policyfile.Parse(data, opts)
		if err != nil {
			if e, ok := errors.AsType[*policyfile.Error](err); !ok || len(e.Problems) == 0 {
				t.Errorf("error is %#v", err)
			}
			return
		}
		text := set.Text()
		again, err := policyfile.Parse([]byte(text), opts)
		if err != nil {
			t.Fatalf("the text is refused: %v\n%s", err, text)
		}
		if !policyfile.Equal(set, again) {
			t.Errorf("the text is another file:\n%s\n%s", text, again.Text())
		}
		unmarked := strings.ReplaceAll(text, " # default", "")
		if strings.ReplaceAll(again.Text(), " # default", "") != unmarked && !strings.Contains(text, "\"") {
			t.Errorf("the text of the text is another one:\n%s\n%s", text, again.Text())
		}
		if changed, err := again.Update(data); err != nil || changed {
			t.Errorf("the file and its text differ: %t, %v\n%s", changed, err, text)
		}
	})
}
