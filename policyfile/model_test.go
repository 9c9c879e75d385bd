package policyfile_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/internal/shrink"
	"github.com/seawall-go/seawall/policyfile"
)

// randomFile makes a small file that is right: chains a to c, policies of a few kinds and names, no two of one name.
func randomFile(random *rand.Rand) string {
	free := map[string]bool{}
	for _, kind := range []string{"timeout: {limit: %ds, ", "retry: {max_attempts: %d, ", "bulkhead: {limit: %d, "} {
		for _, name := range []string{"x", "y"} {
			free[kind+"name: "+name+"}"] = true
		}
	}
	var b strings.Builder
	b.WriteString("chains:\n")
	for _, chain := range []string{"a", "b", "c"}[:1+random.IntN(3)] {
		var policies []string
		for policy := range free {
			if random.IntN(3) == 0 || len(free) == 6 {
				delete(free, policy)
				policies = append(policies, fmt.Sprintf(policy, 1+random.IntN(3)))
			}
		}
		if len(policies) == 0 {
			policies = []string{"breaker: {name: " + chain + "}"}
		}
		random.Shuffle(len(policies), func(i, j int) { policies[i], policies[j] = policies[j], policies[i] })
		fmt.Fprintf(&b, "  %s: [%s]\n", chain, strings.Join(policies, ", "))
	}
	return b.String()
}

// After whatever reloads, a set is what its last file makes, with the very policies that were there all the time.
func TestASetAfterReloadsIsAsOneOfItsLastFile(t *testing.T) {
	seeds := uint64(100)
	if raceEnabled {
		seeds = 30
	}
	for seed := range seeds {
		random := rand.New(rand.NewPCG(seed, 1))
		files := make([]string, 2+random.IntN(8))
		for i := range files {
			files[i] = randomFile(random)
		}
		if err := replay(t, files); err != nil {
			fails := func(later []string) bool { return replay(t, append(files[:1:1], later...)) != nil }
			files = append(files[:1:1], shrink.List(files[1:], 1, fails)...)
			t.Fatalf("seed %d: %v\nshortest:\n%s", seed, replay(t, files), strings.Join(files, "---\n"))
		}
	}
}

func replay(t *testing.T, files []string) error {
	set := parse(t, files[0], policyfile.Options{})
	known := everyPolicy(set)
	for _, file := range files[1:] {
		before := set.Text()
		changed := update(t, set, file)
		fresh := parse(t, file, policyfile.Options{})
		if set.Text() != fresh.Text() {
			return fmt.Errorf("the text is\n%s\nwant\n%s", set.Text(), fresh.Text())
		}
		if !changed && len(before) != len(fresh.Text()) {
			return fmt.Errorf("no change was told from\n%s\nto\n%s", before, fresh.Text())
		}
		now, want := everyPolicy(set), everyPolicy(fresh)
		if len(now) != len(want) {
			return fmt.Errorf("%d policies, want %d", len(now), len(want))
		}
		for name, policy := range now {
			if old, there := known[name]; there && old != policy {
				return fmt.Errorf("%s is another one", name)
			}
			if want[name] == nil {
				return fmt.Errorf("%s is in a chain, and not in the file", name)
			}
		}
		known = now
	}
	return nil
}

// everyPolicy asks no chain by Set.Chain, after which a file must have it.
func everyPolicy(set *policyfile.Set) map[string]seawall.Policy {
	policies := map[string]seawall.Policy{}
	for _, chain := range set.Pipelines() {
		for _, p := range chain.Policies() {
			// One that comes back before the registry has forgotten it has a number behind its name.
			name, _, _ := strings.Cut(p.(interface{ Name() string }).Name(), "#")
			policies[fmt.Sprintf("%T %s", p, name)] = p
		}
	}
	return policies
}
