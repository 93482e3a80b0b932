package plan_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/quick"
	"time"

	"github.com/crossfold/crossfold/coordinator/plan"
)

// grid adds candidates × splits units, candidate by candidate.
func grid(p *plan.Planner, candidates, splits int) {
	for i := range candidates * splits {
		p.Add(plan.Unit{Index: uint32(i), Split: uint32(i % splits), Candidate: uint32(i / splits)})
	}
}

// observe tells of the first units of the job, which may still wait: the planner takes it as it comes.
func observe(p *plan.Planner, seconds float64, times int) {
	for i := range times {
		p.Observe(uint32(i), seconds, 0)
	}
}

func TestOneUnitPerTaskUntilSomethingWasObserved(t *testing.T) {
	p := plan.New()
	grid(p, 100, 5)
	for i := range 8 {
		if task := p.Next(2); len(task) != 1 || task[0] != uint32(i) {
			t.Fatalf("task %v, want the oldest unit %d alone", task, i)
		}
	}
}

func TestTasksAimAtTheTarget(t *testing.T) {
	for _, c := range []struct {
		seconds float64
		want    int
	}{{0.010, 10}, {0.001, 100}, {1e-6, plan.MaxUnits}, {0, plan.MaxUnits}, {0.3, 1}, {90, 1}} {
		p := plan.New()
		grid(p, 10_000, 1)
		observe(p, c.seconds, 100)
		if got := len(p.Next(2)); got != c.want {
			t.Errorf("%d units of %g s in a task, want %d", got, c.seconds, c.want)
		}
	}
}

func TestTrustGrowsWithEvidence(t *testing.T) {
	p := plan.New()
	grid(p, 10_000, 1)
	p.Observe(0, 1e-6, 0)
	if got := len(p.Next(2)); got != 4 {
		t.Errorf("%d units after one observation, want 4", got)
	}
}

func TestAnEarlierJobIsBelievedAsFarAsAFewObservations(t *testing.T) {
	earlier := plan.New()
	grid(earlier, 1000, 1)
	if earlier.Experience() != nil {
		t.Fatal("an experience of nothing")
	}
	observe(earlier, 0.001, 100)
	p := plan.New()
	p.Recall(earlier.Experience())
	grid(p, 10_000, 1)
	if got := len(p.Next(2)); got != 16 {
		t.Errorf("%d units in the first task, want 16", got)
	}
	observe(p, 1, 20)
	if got := len(p.Next(2)); got != 1 {
		t.Errorf("%d units in a task now that they take a second, want 1", got)
	}
}

func TestTheLongestComeFirstWhenAnEarlierJobShowedWhichTheyAre(t *testing.T) {
	withFeatures := func(p *plan.Planner) *plan.Planner {
		for i := range 20 {
			features := map[string]float64{"C": math.Pow(10, float64(i))}
			p.Add(plan.Unit{Index: uint32(i), Candidate: uint32(i), Features: features})
		}
		return p
	}
	earlier := withFeatures(plan.New())
	for i := range 20 {
		earlier.Observe(uint32(i), 0.05*math.Pow(2, float64(i)), 0)
	}
	p := plan.New()
	p.Recall(earlier.Experience())
	if task := withFeatures(p).Next(2); len(task) != 1 || task[0] != 19 {
		t.Errorf("the first task is %v, want the longest unit alone", task)
	}
	inOrder := plan.New()
	inOrder.KeepOrder()
	inOrder.Recall(earlier.Experience())
	if task := withFeatures(inOrder).Next(2); task[0] != 0 {
		t.Errorf("the first task is %v, want the first unit", task)
	}
}

func TestTheTailShrinks(t *testing.T) {
	p := plan.New()
	grid(p, 40, 1)
	observe(p, 0.006, 100)
	slots := 2
	for p.Len() > 0 {
		most := (p.Len() + 2*slots - 1) / (2 * slots)
		if got := len(p.Next(slots)); got > most {
			t.Fatalf("%d units in a task, want at most %d", got, most)
		}
	}
}

func TestWorkShorterThanAMessageIsNotCutIntoMore(t *testing.T) {
	p := plan.New()
	grid(p, 40, 1)
	observe(p, 0.001, 100)
	for p.Len() > 0 {
		left := p.Len()
		if got := len(p.Next(2)); got < min(left, 4) {
			t.Fatalf("%d units of 1 ms in a task, %d were left", got, left)
		}
	}
}

func TestTasksStayBelowTheMessageLimit(t *testing.T) {
	p := plan.New()
	for i := range uint32(100) {
		p.Add(plan.Unit{Index: i, Split: plan.Calls, Bytes: 60 << 10})
	}
	p.Add(plan.Unit{Index: 100, Split: plan.Calls, Bytes: plan.MaxBytes + 1})
	observe(p, 1e-6, 100)
	for p.Len() > 0 {
		if task := p.Next(1); len(task) > plan.MaxBytes/(60<<10) {
			t.Fatalf("%d units of 60 KiB in a task, want at most %d KiB", len(task), plan.MaxBytes>>10)
		}
	}
}

func TestNonsenseIsNotObserved(t *testing.T) {
	p := plan.New()
	grid(p, 1000, 1)
	nan := 0.0
	p.Observe(0, nan/nan, 0)
	p.Observe(0, 1/nan, 0)
	p.Observe(0, -1, 0)
	p.Observe(1000, 1e-6, 0)
	if got := len(p.Next(1)); got != 1 {
		t.Errorf("%d units in a task, want 1: nothing was observed", got)
	}
}

// Whatever is added, observed and asked for, every unit is handed out once, and a task's units share
// their split.
func TestEveryUnitGoesOutOnce(t *testing.T) {
	property := func(seed uint64) bool {
		random := rand.New(rand.NewPCG(seed, 1))
		p := plan.New()
		p.SetHosts(1 + random.IntN(2))
		split := map[uint32]uint32{}
		var travelling []uint32
		out := map[uint32]bool{}
		for added := uint32(0); added < 300 || p.Len() > 0; {
			switch {
			case added < 300 && random.IntN(2) == 0:
				for range random.IntN(30) {
					split[added] = random.Uint32N(6)
					unit := plan.Unit{
						Index: added, Split: split[added], Candidate: random.Uint32N(40), Bytes: random.IntN(1000),
						Features: map[string]float64{"C": random.NormFloat64()},
					}
					if random.IntN(2) == 0 {
						unit.Prefix = string(rune('a' + random.IntN(3)))
					}
					p.Add(unit)
					added++
				}
			case len(travelling) > 0 && random.IntN(2) == 0:
				p.Observe(travelling[0], random.ExpFloat64()*0.1, float64(random.IntN(2)))
				travelling = travelling[1:]
			default:
				task := p.Next(1 + random.IntN(4))
				for _, index := range task {
					if out[index] || split[index] != split[task[0]] {
						return false
					}
					out[index] = true
				}
				travelling = append(travelling, task...)
			}
		}
		return len(out) == len(split) && p.Next(1) == nil
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
}

func TestManySplitsAreNotQuadratic(t *testing.T) {
	p := plan.New()
	grid(p, 1, 50_000)
	started := time.Now()
	for p.Len() > 0 {
		p.Next(8)
	}
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("50,000 splits took %s", took)
	}
}

func TestOrderIsKeptWhateverUnitsTake(t *testing.T) {
	p := plan.New()
	p.KeepOrder()
	for i := range uint32(12) {
		p.Add(plan.Unit{Index: i, Split: i % 2, Candidate: i / 2, Features: map[string]float64{"size": float64(i / 2)}})
	}
	var handedOut []uint32
	for p.Len() > 0 {
		for _, index := range p.Next(2) {
			handedOut = append(handedOut, index)
			p.Observe(index, 1+float64(index/2), 0)
		}
	}
	if !slices.IsSorted(handedOut) {
		t.Errorf("handed out %v, want the order in which they were added", handedOut)
	}
}

func TestSplitBySplitFinishesASplitFirst(t *testing.T) {
	p := plan.New()
	p.SplitBySplit()
	grid(p, 8, 5)
	// The later a candidate, the longer it takes: the longest first, but only inside a split.
	for i := range uint32(40) {
		candidate := i % 8
		p.Observe(5*candidate+i/8, 1+float64(candidate), 0)
	}
	for i := range 40 {
		split, candidate := i/8, 7-i%8
		if task := p.Next(2); len(task) != 1 || int(task[0]) != 5*candidate+split {
			t.Fatalf("task %d: %v, want candidate %d on split %d", i, task, candidate, split)
		}
	}
}

func TestUnitsOfASplitAreCounted(t *testing.T) {
	p := plan.New()
	grid(p, 3, 5)
	p.Next(2)
	p.Add(plan.Unit{Index: 15, Split: 4, Candidate: 3})
	if got, more, none := p.SplitUnits(0), p.SplitUnits(4), p.SplitUnits(5); got != 3 || more != 4 || none != 0 {
		t.Errorf("%d, %d and %d units, want 3, 4 and 0", got, more, none)
	}
}
