package bulkhead_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/bulkhead"
)

var byUser = bulkhead.Config{Limit: servers, Shedding: bulkhead.ByUser}

// fates are how many calls of each user came through, and how many did not.
type fates struct {
	mu               sync.Mutex
	served, rejected map[string]int
}

// overload sends calls of users at a multiple of what can be served, for a while, and returns what became of the calls
// of the second half of it.
func overload(t *testing.T, b *bulkhead.Bulkhead, load float64, lasting time.Duration, userOf func(i int) string) *fates {
	t.Helper()
	f := &fates{served: map[string]int{}, rejected: map[string]int{}}
	var wg sync.WaitGroup
	began := time.Now()
	poisson(rand.New(rand.NewPCG(7, 7)), steadily(load*capacity), lasting, func(i int) {
		user, counts := userOf(i), time.Since(began) > lasting/2
		wg.Go(func() {
			err := b.Do(seawall.WithUser(t.Context(), user), serve)
			if !counts {
				return
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			if err == nil {
				f.served[user]++
			} else {
				f.rejected[user]++
			}
		})
	})
	wg.Wait()
	return f
}

// mixed is the part of the users of whom some calls came through and others did not.
func (f *fates) mixed(users int) float64 {
	n := 0
	for user := range f.served {
		if f.rejected[user] > f.served[user]/10 && f.served[user] > f.rejected[user]/10 {
			n++
		}
	}
	return float64(n) / float64(users)
}

// lucky are the users of whom most calls came through. A few calls of the others find a free slot.
func (f *fates) lucky() map[string]bool {
	lucky := map[string]bool{}
	for user, n := range f.served {
		if n > f.rejected[user] {
			lucky[user] = true
		}
	}
	return lucky
}

// inBoth returns how many users are in both sets.
func inBoth(a, b map[string]bool) (n int) {
	for user := range a {
		if b[user] {
			n++
		}
	}
	return n
}

func anyOf(users int) func(int) string {
	return func(int) string { return fmt.Sprintf("user-%d", rand.IntN(users)) }
}

func TestByUserGivesAllCallsOfAUserTheSameFate(t *testing.T) {
	const users = 200
	for shedding, most := range map[bulkhead.Shedding]float64{bulkhead.ByUser: 0.15, bulkhead.ByArrival: 1} {
		synctest.Test(t, func(t *testing.T) {
			cfg := byUser
			cfg.Shedding = shedding
			b := newBulkhead(cfg)
			f := overload(t, b, 2, 12*time.Second, anyOf(users))
			mixed := f.mixed(users)
			t.Logf("%v: %.2f of the users have mixed fates", shedding, mixed)
			if mixed > most || shedding == bulkhead.ByArrival && mixed < 0.9 {
				t.Errorf("%v: %.2f of the users have mixed fates, want at most %v", shedding, mixed, most)
			}
			if n := len(f.lucky()); shedding == bulkhead.ByUser && (n < users*4/10 || n > users*6/10) {
				t.Errorf("%d of %d users are served, want half", n, users)
			}
		})
	}
}

// Two instances, and so the services that a task goes through, turn the same users away.
func TestByUserTurnsTheSameUsersAwayInAllInstances(t *testing.T) {
	if raceEnabled {
		t.Skip("statistics of calls that other tests make as well")
	}
	const users = 200
	var lucky [2]map[string]bool
	for i := range lucky {
		synctest.Test(t, func(t *testing.T) {
			lucky[i] = overload(t, newBulkhead(byUser), 2, 20*time.Second, anyOf(users)).lucky()
		})
	}
	both := inBoth(lucky[0], lucky[1])
	if n := max(len(lucky[0]), len(lucky[1])); both < n*9/10 {
		t.Errorf("%d and %d users were served, but only %d by both", len(lucky[0]), len(lucky[1]), both)
	}
}

// The same users do not lose for ever.
func TestByUserTurnsOtherUsersAwayInAnotherEpoch(t *testing.T) {
	const users = 200
	var lucky [2]map[string]bool
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(byUser)
		for i := range lucky {
			lucky[i] = overload(t, b, 2, 10*time.Second, anyOf(users)).lucky()
			time.Sleep(bulkhead.Epoch)
		}
	})
	both := inBoth(lucky[0], lucky[1])
	if n := len(lucky[0]); both > n*7/10 || both < n*3/10 {
		t.Errorf("%d users were served, and then %d of them again, want about half", n, both)
	}
}

// Calls without a user come through in the same proportion as those with one.
func TestByUserTreatsCallsWithoutAUserByTheDice(t *testing.T) {
	if raceEnabled {
		t.Skip("statistics of calls that other tests make as well")
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(byUser)
		var served, sent float64
		var wg sync.WaitGroup
		wg.Go(func() { overload(t, b, 1, 20*time.Second, anyOf(1000)) })
		var mu sync.Mutex
		poisson(rand.New(rand.NewPCG(8, 8)), steadily(capacity), 20*time.Second, func(int) {
			wg.Go(func() {
				err := b.Do(t.Context(), serve)
				mu.Lock()
				defer mu.Unlock()
				sent++
				if err == nil {
					served++
				}
			})
		})
		wg.Wait()
		if part := served / sent; part < 0.4 || part > 0.6 {
			t.Errorf("%.2f of them came through, want half", part)
		}
	})
}

// The door opens when there is no more overload, and then calls cost what they did before.
func TestByUserEndsWithTheOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(byUser)
		overload(t, b, 0.5, 5*time.Second, anyOf(1000))
		if b.Counts() || b.Stats().Rejected.Total() > 0 {
			t.Errorf("calls are counted: %v, rejected: %+v, want neither at half the load", b.Counts(), b.Stats().Rejected)
		}
		overload(t, b, 2, 5*time.Second, anyOf(1000))
		if !b.Counts() || b.Stats().Rejected.Shed == 0 {
			t.Errorf("calls are counted: %v, rejected: %+v, want both at twice the load", b.Counts(), b.Stats().Rejected)
		}
		f := overload(t, b, 0.6, 10*time.Second, anyOf(1000))
		if b.Counts() {
			t.Error("calls are still counted after 10 s without overload")
		}
		if len(f.rejected) > 0 {
			t.Errorf("%d users had calls rejected 5 s after the overload", len(f.rejected))
		}
		wantIdle(t, b)
	})
}

// A service that has lost half of its capacity, and then regains it, lets in as many as it can serve.
func TestByUserFollowsTheCapacity(t *testing.T) {
	if raceEnabled {
		t.Skip("statistics of calls that other tests make as well")
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBulkhead(byUser)
		for _, limit := range []int{servers, servers / 2, servers} {
			update(t, b, bulkhead.Config{Limit: limit, Shedding: bulkhead.ByUser})
			if limit == servers/2 && !b.Counts() {
				t.Error("an Update of the limit ends the counting")
			}
			before := b.Stats()
			f := overload(t, b, 2, 20*time.Second, anyOf(500))
			s := b.Stats()
			admitted := float64(s.Admitted-before.Admitted) / 20
			want := capacity * float64(limit) / servers
			if admitted < 0.95*want || admitted > 1.05*want {
				t.Errorf("limit %d: %.0f a second were served, want %.0f", limit, admitted, want)
			}
			if mixed := f.mixed(500); mixed > 0.15 {
				t.Errorf("limit %d: %.2f of the users have mixed fates", limit, mixed)
			}
		}
		update(t, b, bulkhead.Config{Limit: servers})
		if b.Counts() {
			t.Error("calls are counted although they are not shed by user any more")
		}
	})
}

// What is guaranteed to a level comes to it through the door as well, and to the same users of it.
func TestByUserKeepsTheGuaranteesOfTheLevels(t *testing.T) {
	if raceEnabled {
		t.Skip("statistics of calls that other tests make as well")
	}
	synctest.Test(t, func(t *testing.T) {
		cfg := byUser
		cfg.Shares = bulkhead.Shares{Sheddable: 0.2}
		b := newBulkhead(cfg)
		var wg sync.WaitGroup
		before := b.Stats()
		for _, p := range []seawall.Priority{seawall.CriticalPlus, seawall.Sheddable} {
			wg.Go(func() {
				ctx := seawall.WithPriority(t.Context(), p)
				poisson(rand.New(rand.NewPCG(9, uint64(p))), steadily(1.5*capacity), 20*time.Second, func(int) {
					user := anyOf(500)(0)
					wg.Go(func() { _ = b.Do(seawall.WithUser(ctx, user), serve) })
				})
			})
		}
		wg.Wait()
		s := b.Stats()
		all := float64(s.Admitted - before.Admitted)
		if part := float64(s.Levels.Sheddable.Admitted) / all; math.Abs(part-0.2) > 0.03 {
			t.Errorf("%.3f of what is served is sheddable, want 0.2; %+v", part, s.Levels)
		}
		wantIdle(t, b)
	})
}

// Without a queue, and with room for all, it does nothing.
func TestByUserWithoutAQueueOnlyRejects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := byUser
		cfg.Queue.Limit = bulkhead.NoQueue
		b := newBulkhead(cfg)
		overload(t, b, 2, 5*time.Second, anyOf(1000))
		if s := b.Stats(); b.Counts() || s.Rejected.Full != s.Rejected.Total() {
			t.Errorf("calls are counted: %v, rejected: %+v", b.Counts(), s.Rejected)
		}
	})
}

func TestHashesOfUsersAreSpreadEvenly(t *testing.T) {
	if raceEnabled {
		t.Skip("statistics of calls that other tests make as well")
	}
	const users, ranges = 128_000, 128
	for _, name := range []string{"user-%d", "%d", "%08d@example.com", "\x00%d"} {
		for _, epoch := range []int64{0, 1, 2, 230_000, -1, math.MinInt64} {
			var counts [ranges]int
			for i := range users {
				counts[bulkhead.HashUser(fmt.Sprintf(name, i), epoch)>>25]++
			}
			chi2 := 0.0
			for _, n := range counts {
				chi2 += math.Pow(float64(n-users/ranges), 2) / (users / ranges)
			}
			if chi2 > 220 { // 127 degrees of freedom: more in one of a million cases
				t.Errorf("%s in epoch %d: chi-squared is %.0f", name, epoch, chi2)
			}
		}
	}
	// Instances of different versions agree as well.
	for _, tc := range []struct {
		user  string
		epoch int64
		want  uint32
	}{{"", 0, 0x7bd3144f}, {"a", 1, 0xdea13a43}, {"customer 4711", 230_000, 0x6840aeda}} {
		if got := bulkhead.HashUser(tc.user, tc.epoch); got != tc.want {
			t.Errorf("the hash of %q in epoch %d is %#x, want %#x", tc.user, tc.epoch, got, tc.want)
		}
	}
	if first := bulkhead.HashUser("a", 1); bulkhead.HashUser("a", 1) != first || bulkhead.HashUser("a", 2) == first {
		t.Error("the hash is that of the user and the epoch")
	}
}

func ExampleConfig_shedding() {
	ctx := context.Background()
	checkout := bulkhead.New("checkout", bulkhead.Config{
		Limit:    32,
		Queue:    bulkhead.Queue{Order: bulkhead.AdaptiveLIFO},
		Shedding: bulkhead.ByUser,
		Registry: &seawall.Registry{},
	})
	// In overload all calls for a user have the same fate: a purchase is carried out whole or not at all.
	ctx = seawall.WithUser(ctx, "customer 4711")
	fmt.Println(checkout.Do(ctx, reserve), checkout.Do(ctx, reserve))
	fmt.Println(checkout.Config().Queue.Order, checkout.Config().Shedding)
	// Output:
	// <nil> <nil>
	// adaptive_lifo by_user
}

// A mode that was set by hand is still one when the counting has ended.
func TestByUserForgetsNoModeThatWasSetByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := byUser
		cfg.Mode = seawall.Shadow
		b := newBulkhead(cfg)
		_ = b.SetMode(seawall.Enforce)
		overload(t, b, 2, 4*time.Second, anyOf(1000))
		if !b.Counts() {
			t.Error("calls are not counted at twice the load")
		}
		overload(t, b, 0.3, 4*time.Second, anyOf(1000))
		if b.Counts() || !b.Keep() {
			t.Errorf("calls are counted: %v, to be kept: %v, want only the latter", b.Counts(), b.Keep())
		}
	})
}

// Where the slots come free all at once, a short queue is empty again and again, and so never a standing one.
func TestByUserNoticesOverloadOfAShortQueue(t *testing.T) {
	for load, want := range map[float64]bool{0.5: false, 2: true} {
		synctest.Test(t, func(t *testing.T) {
			b := newBulkhead(bulkhead.Config{Limit: 10, Shedding: bulkhead.ByUser})
			var wg sync.WaitGroup
			call := func(int) {
				wg.Go(func() {
					_ = b.Do(t.Context(), func(context.Context) error {
						time.Sleep(10 * time.Millisecond)
						return nil
					})
				})
			}
			for i := range 10 {
				call(i)
			}
			poisson(rand.New(rand.NewPCG(7, 10)), steadily(load*1000), 5*time.Second, call)
			wg.Wait()
			if b.Counts() != want {
				t.Errorf("load %v: calls are counted: %v, want %v; %+v", load, b.Counts(), want, b.Stats())
			}
		})
	}
}

func TestByUserPlacesTheMarkAtWhatWasServed(t *testing.T) {
	const bucket = 1 << 25
	even := make([]int64, 128)
	for i := range even {
		even[i] = 10
	}
	uneven := make([]int64, 128)
	uneven[0], uneven[3], uneven[127] = 50, 40, 10
	for _, tc := range []struct {
		asked []int64
		get   int64
		want  int64
	}{
		{even, 0, 0},
		{even, 645, 64*bucket + bucket/2},
		{even, 1279, 128*bucket - bucket/10 - 1},
		{even, 1280, 128 * bucket},
		{even, 9999, 128 * bucket},
		{uneven, 50, 3 * bucket},
		{uneven, 70, 3*bucket + bucket/2},
		{uneven, 90, 127 * bucket},
		{make([]int64, 128), 0, 128 * bucket},
	} {
		if got := bulkhead.Mark(tc.asked, tc.get); got != tc.want {
			t.Errorf("%d of them: the mark is at %d, want %d", tc.get, got, tc.want)
		}
	}
}
