package runner

import (
	"context"
	"errors"
	"time"

	"github.com/seawall-go/seawall/demo/internal/load"
	"github.com/seawall-go/seawall/demo/internal/measure"
	"github.com/seawall-go/seawall/demo/internal/report"
	"github.com/seawall-go/seawall/demo/internal/verdict"
)

// Played is a scene that was played. Its arms still serve, until Close.
type Played struct {
	Report report.Scene
	// Answers are all answers of each arm, in the order of the arms and of the arrivals.
	Answers [][]load.Answer

	stage *stage
}

// Close ends the arms, also if ctx has ended already: it takes its values from there. It must be called once.
func (p *Played) Close(ctx context.Context) error { return p.stage.close(ctx) }

func (st *stage) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	var all error
	for _, a := range st.turns {
		all = errors.Join(all, a.arm.Close(ctx))
	}
	return all
}

const (
	// ledgerLimit is how long an arm may take to come to rest and read its databases.
	ledgerLimit = 15 * time.Second
	// closeLimit is how long all arms together may take to end.
	closeLimit = 15 * time.Second
	// ledgerSlack is by how much the beginning of the scene on a database's clock may be wrong: that clock shows
	// milliseconds, and is read next to the beginning.
	ledgerSlack = 5 * time.Millisecond
)

// judge gathers the evidence and has it judged.
func (st *stage) judge(ctx context.Context) *Played {
	p := &Played{stage: st, Report: report.Scene{
		Scene: st.scene, Played: st.played, Interrupted: st.interrupted, Machine: st.machine,
	}}
	for _, a := range st.arms {
		e := st.evidence(ctx, a)
		p.Answers = append(p.Answers, e.Answers)
		p.Report.Arms = append(p.Report.Arms, st.summary(a, e))
		p.Report.Machine.Late.Part += measure.Late(e.Answers).Part
		p.Report.Machine.Late.Whole += len(e.Answers)
		if n := len(e.Samples); n > 0 {
			p.Report.Machine.Short.Part += int(e.Samples[n-1].Status.Short)
			p.Report.Machine.Short.Whole += int(e.Samples[n-1].Status.Draws)
		}
	}
	p.Report.Objections = p.Report.Machine.Objections()
	return p
}

func (st *stage) evidence(ctx context.Context, a *actor) verdict.Evidence {
	answers, samples := a.recorder.All()
	// Also after an interruption: what the databases say is true, however short the scene was.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ledgerLimit)
	defer cancel()
	ledger, err := a.arm.Ledger(ctx)
	return verdict.Evidence{
		Scene: st.scene, Kind: a.Kind, Answers: answers, Samples: samples,
		Bins:        measure.Bins(st.scene.SLO, st.played, answers, samples),
		Interrupted: st.interrupted, Ledger: ledger, LedgerErr: err, Zero: a.zero, Slack: ledgerSlack,
	}
}

func (st *stage) summary(a *actor, e verdict.Evidence) report.Arm {
	r := report.Arm{
		Name: a.Name, Kind: a.Kind, Bins: e.Bins, Findings: verdict.Judge(e), Settings: a.arm.Settings(),
		Latency: measure.Latencies(e.Answers, 0, st.played),
	}
	for _, phase := range st.scene.Phases() {
		to := min(phase.To, st.played)
		r.Phases = append(r.Phases, report.Phase{
			Name: phase.Name, From: phase.From, To: phase.To,
			Good:    measure.Goodput(st.scene.SLO, e.Answers, phase.From, to),
			Latency: measure.Latencies(e.Answers, phase.From, to),
		})
	}
	if n := len(e.Samples); n > 0 {
		first, last := e.Samples[0].Status, e.Samples[n-1].Status
		r.Calls, r.Attempts = last.Calls-first.Calls, last.Attempts-first.Attempts
	}
	if _, end, ok := st.scene.Trouble(); ok {
		if took, ok := measure.Recovery(e.Bins, end, st.scene.RecoverWindow); ok {
			r.Recovered = &took
		}
	}
	return r
}
