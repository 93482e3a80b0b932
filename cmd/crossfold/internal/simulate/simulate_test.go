package simulate

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

// even is a job of equal fits over five splits.
func even(fits int, seconds float64) []Fit {
	all := make([]Fit, fits)
	for i := range all {
		all[i] = Fit{Candidate: uint32(i / 5), Split: uint32(i % 5), Seconds: seconds}
	}
	return all
}

func mustRun(t *testing.T, cluster Cluster, inputs Inputs, fits []Fit) Outcome {
	t.Helper()
	outcome, err := Run(cluster, inputs, fits)
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

func TestOneFreeWorkerTakesTheSumOfTheFits(t *testing.T) {
	outcome := mustRun(t, Cluster{Workers: 1}, Inputs{}, even(100, 0.5))
	if math.Abs(outcome.Seconds-50) > 1e-9 || math.Abs(outcome.Efficiency()-1) > 1e-9 {
		t.Errorf("%.3f s at %.3f, want 50 s at 1", outcome.Seconds, outcome.Efficiency())
	}
}

func TestCostsAreCharged(t *testing.T) {
	inputs := Inputs{TaskSeconds: 1, ResultSeconds: 2, CoordinatorSeconds: 4}
	outcome := mustRun(t, Cluster{Workers: 1}, inputs, even(1, 8))
	if outcome.Seconds != 15 {
		t.Errorf("%g s, want 1 to the task, 8 for the fit, 2 to store it, 4 in the coordinator", outcome.Seconds)
	}
}

func TestTheCoordinatorTakesResultsOneByOne(t *testing.T) {
	outcome := mustRun(t, Cluster{Workers: 100}, Inputs{CoordinatorSeconds: 1}, even(100, 1e-3))
	if outcome.Seconds < 100 {
		t.Errorf("%g s, want at least the coordinator's 100", outcome.Seconds)
	}
}

func TestRunsRepeat(t *testing.T) {
	cluster := Cluster{Workers: 20, Spread: 0.5, Stragglers: 0.2, Lost: 0.2, Seed: 7}
	first := mustRun(t, cluster, Inputs{}, even(2_000, 1))
	if again := mustRun(t, cluster, Inputs{}, even(2_000, 1)); again != first {
		t.Errorf("%+v, then %+v", first, again)
	}
}

func TestWhatALostWorkerBeganIsRepeatedAfterItsLease(t *testing.T) {
	outcome := mustRun(t, Cluster{Workers: 2, Lost: 0.5, Seed: 1}, Inputs{}, even(10, 30))
	if outcome.Repeated == 0 {
		t.Fatal("no fit was repeated though a worker was lost in one")
	}
	if work := outcome.Work; outcome.Seconds <= work/2 || outcome.Seconds > work+60 {
		t.Errorf("%.0f s for %.0f s of work on two workers, one of which was lost", outcome.Seconds, work)
	}
}

func TestManyWorkersStayBusy(t *testing.T) {
	inputs := Inputs{TaskSeconds: 0.4e-3, ResultSeconds: 1e-3, CoordinatorSeconds: 40e-6}
	for name, cluster := range map[string]Cluster{
		"equal":     {},
		"different": {Spread: 0.25},
		"lost":      {Lost: 0.01},
	} {
		cluster.Workers, cluster.Seed = 200, 1
		if outcome := mustRun(t, cluster, inputs, even(60_000, 1)); outcome.Efficiency() < 0.9 {
			t.Errorf("%s: efficiency %.3f, want at least 0.9", name, outcome.Efficiency())
		}
	}
}

func TestNobodyLeft(t *testing.T) {
	_, err := Run(Cluster{Workers: 3, Lost: 1}, Inputs{}, even(100, 10))
	if err == nil || !strings.Contains(err.Error(), "no worker is left") {
		t.Errorf("error %v, want one that says that all were lost", err)
	}
}

func TestTheRecordedInputsReachTheGoal(t *testing.T) {
	inputs, err := Read("")
	if err != nil {
		t.Fatal(err)
	}
	report, err := Simulate(inputs, Options{Nodes: []int{1, 2, 13}})
	if err != nil {
		t.Fatal(err)
	}
	if got := report.Rows[2].Speedup; got < 12.5 {
		t.Errorf("13 nodes are %.2f times as fast as one, want at least 12.5", got)
	}
	var text bytes.Buffer
	if err := report.Text(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"SIMULATED", inputs.Source, "7.00 ×"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report does not say %q:\n%s", want, text.String())
		}
	}
}

func TestBadInputsAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{`:                           "make bench CASE=plain",
		`{"source": "s", "fits": []}`: "0 fits",
		`{"source": "", "fits": [{"seconds": 1}]}`:                                          `source ""`,
		`{"source": "s", "fits": [{"seconds": 0}]}`:                                         "fit 0 took 0 s",
		`{"source": "s", "fits": [{"seconds": 1}]}`:                                         "fit 0 is of candidate 0",
		`{"source": "s", "fits": [{"seconds": 1}], "candidates": [{}], "task_seconds": -1}`: "task_seconds is -1",
		`{"source": "s", "fits": [{"seconds": 1}], "tasks": 1}`:                             "tasks",
	} {
		if _, err := parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
}
