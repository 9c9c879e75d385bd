package seawall

import (
	"fmt"
	"math"
	"sync/atomic"
)

// BudgetConfig sets a [Budget]. It is data: it compares, prints and loads.
type BudgetConfig struct {
	// Ratio is how many extra attempts one success pays for. Default 0.1; 0.000001 to 10, rounded to a millionth. It
	// is the lasting share of extra load in healthy times, and retries stay funded while less than Ratio/(1+Ratio) of
	// the attempts fail: 9 % at the default.
	Ratio float64 `json:"ratio" yaml:"ratio"`
	// Burst is how many extra attempts are at hand at the start and at the most. Default 10; 1 to 1,000,000. It is all
	// that a dependency gets in extra load while nothing succeeds.
	Burst int `json:"burst" yaml:"burst"`
}

func (c BudgetConfig) withDefaults() BudgetConfig {
	if c.Ratio == 0 {
		c.Ratio = 0.1
	}
	if c.Burst == 0 {
		c.Burst = 10
	}
	return c
}

// Validate returns an error that names a field that is out of its range, and the value it has. 0 means the default.
func (c BudgetConfig) Validate() error {
	if c.Ratio < 0 || c.Ratio > 10 || math.IsNaN(c.Ratio) || c.Ratio > 0 && c.Ratio < 1.0/microTokens {
		return fmt.Errorf("seawall: BudgetConfig.Ratio is %v, want 0.000001 to 10", c.Ratio)
	}
	if c.Burst < 0 || c.Burst > 1_000_000 {
		return fmt.Errorf("seawall: BudgetConfig.Burst is %d, want 1 to 1000000", c.Burst)
	}
	return nil
}

// Budget bounds the extra attempts, retries and hedges together, that go to one dependency. It is funded by successes,
// as in gRPC (gRFC A6) and the AWS SDKs: when nothing succeeds the extra load falls to zero. A budget that is funded by
// requests goes on paying during an outage, and can hold a system down after the cause has gone (Bronson et al.,
// "Metastable Failures in Distributed Systems", HotOS 2021). It differs from gRPC's in that a token is one attempt, and
// the whole bucket can be spent.
//
// Extra attempts over any time are at most the successes in it times Ratio, plus Burst.
//
// A Budget is safe for concurrent use. It takes no lock, and while it is full a success only reads it.
type Budget struct {
	cfg   BudgetConfig
	grant int64 // micro-tokens a success adds
	full  int64 // micro-tokens at the most

	_      [64]byte // apart from what never changes
	tokens atomic.Int64
	_      [56]byte // and from other budgets
}

const microTokens = 1_000_000

// NewBudget makes a full budget. It panics if cfg is not valid.
func NewBudget(cfg BudgetConfig) *Budget {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	cfg = cfg.withDefaults()
	b := &Budget{
		cfg:   cfg,
		grant: int64(math.Round(cfg.Ratio * microTokens)),
		full:  int64(cfg.Burst) * microTokens,
	}
	b.tokens.Store(b.full)
	return b
}

// Config returns the configuration with its defaults filled in.
func (b *Budget) Config() BudgetConfig { return b.cfg }

// Succeeded is told that an attempt succeeded, which pays for Ratio extra ones.
func (b *Budget) Succeeded() { b.add(b.grant) }

// Take takes one extra attempt out of the budget. It returns false, and takes nothing, if there is none.
func (b *Budget) Take() bool {
	for {
		have := b.tokens.Load()
		if have < microTokens {
			return false
		}
		if b.tokens.CompareAndSwap(have, have-microTokens) {
			return true
		}
	}
}

// Refund gives back an extra attempt that was taken and then not made.
func (b *Budget) Refund() { b.add(microTokens) }

// Available returns how many extra attempts are at hand.
func (b *Budget) Available() float64 { return float64(b.tokens.Load()) / microTokens }

func (b *Budget) add(n int64) {
	for {
		have := b.tokens.Load()
		if have >= b.full {
			return
		}
		if b.tokens.CompareAndSwap(have, min(b.full, have+n)) {
			return
		}
	}
}
