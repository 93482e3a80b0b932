package plan_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/crossfold/crossfold/coordinator/plan"
)

// work is a job whose fits take known times.
type work struct {
	units []plan.Unit
	// seconds is what a unit takes by itself, prefix what its prefix takes whoever fits it first.
	seconds func(plan.Unit) float64
	prefix  func(plan.Unit) float64
	// earlier is what another job showed.
	earlier *plan.Experience
}

func (w *work) add(unit plan.Unit) {
	unit.Index = uint32(len(w.units))
	w.units = append(w.units, unit)
}

// outcome is what a simulated cluster made of some work.
type outcome struct {
	makespan, total, longest float64
	// fitted counts how often the prefixes were fitted.
	fitted int
	ended  []float64
}

// bound is the time that no schedule need exceed: all slots busy until the last unit begins.
func (o outcome) bound(slots int) float64 { return o.total/float64(slots) + o.longest }

// ideal is the time that no schedule can beat.
func (o outcome) ideal(slots int) float64 { return max(o.total/float64(slots), o.longest) }

type prefixKey struct {
	host   int
	split  uint32
	prefix string
}

// simulate runs work on slots that are spread evenly over hosts, two tasks a slot published at a
// time. Who needs a prefix that another slot of its host is fitting waits for it.
func simulate(w work, slots, hosts int) outcome {
	p := plan.New()
	p.SetHosts(hosts)
	p.Recall(w.earlier)
	for _, unit := range w.units {
		p.Add(unit)
	}
	result := outcome{ended: make([]float64, len(w.units))}
	ready := map[prefixKey]float64{}
	free := make([]float64, slots)
	var published [][]uint32
	type report struct {
		index           uint32
		at, slot, share float64
	}
	var reports []report
	for p.Len() > 0 || len(published) > 0 {
		for len(published) < slots && p.Len() > 0 {
			published = append(published, p.Next(slots))
		}
		slot := 0
		for i := range free {
			if free[i] < free[slot] {
				slot = i
			}
		}
		now := free[slot]
		rest := reports[:0]
		for _, r := range reports {
			if r.at <= now {
				p.Observe(r.index, r.slot, r.share)
			} else {
				rest = append(rest, r)
			}
		}
		reports = rest
		for _, index := range published[0] {
			unit, began := w.units[index], now
			own, share := w.seconds(unit), 0.0
			if w.prefix != nil && unit.Prefix+unit.Family != "" {
				key := prefixKey{slot * hosts / slots, unit.Split, unit.Prefix + unit.Family}
				if at, ok := ready[key]; ok {
					now, share = max(now, at), w.prefix(unit)
				} else {
					now += w.prefix(unit)
					ready[key] = now
					result.total += w.prefix(unit)
					result.fitted++
				}
			}
			now += own
			result.total += own
			result.longest = max(result.longest, own)
			result.ended[index] = now
			reports = append(reports, report{index, now, now - began, share})
		}
		published = published[1:]
		free[slot] = now
		result.makespan = max(result.makespan, now)
	}
	return result
}

// svc is a search like that over C, gamma and kernel of an SVC on five splits, its longest fits last.
func svc(random *rand.Rand) work {
	var w work
	cost := map[uint32]float64{}
	candidate := uint32(0)
	for k, kernel := range []string{"linear", "poly", "rbf", "sigmoid"} {
		for _, gamma := range []float64{1e-4, 1e-3, 1e-2, 1e-1} {
			for _, c := range []float64{0.1, 1, 10, 100} {
				cost[candidate] = 0.02 * math.Pow(4, float64(k)) * math.Pow(gamma*1e4, 0.2) * math.Pow(c, 0.1)
				for split := range uint32(5) {
					w.add(plan.Unit{Split: split, Candidate: candidate, Features: map[string]float64{
						"gamma": gamma, "C": c, "kernel=" + kernel: 1,
					}})
				}
				candidate++
			}
		}
	}
	noise := make([]float64, len(w.units))
	for i := range noise {
		noise[i] = math.Exp(0.1 * random.NormFloat64())
	}
	w.seconds = func(u plan.Unit) float64 { return cost[u.Candidate] * noise[u.Index] }
	return w
}

func TestSkewedWorkKeepsEverySlotBusy(t *testing.T) {
	for _, slots := range []int{2, 4, 13} {
		for seed := range uint64(5) {
			result := simulate(svc(rand.New(rand.NewPCG(seed, 3))), slots, 1)
			if got := result.makespan / result.ideal(slots); got > 1.03 {
				t.Errorf("%d slots, seed %d: %.3f times the shortest time there can be, want at most 1.03",
					slots, seed, got)
			}
		}
	}
}

// Times of which the features say nothing, of all magnitudes.
func TestUnpredictableWorkStaysWithinTheBound(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 4))
		var w work
		times := map[uint32]float64{}
		for i := range uint32(400) {
			times[i] = math.Exp(2*random.NormFloat64() - 3)
			w.add(plan.Unit{Split: i % 4, Candidate: i / 4, Features: map[string]float64{"a": random.NormFloat64()}})
		}
		w.seconds = func(u plan.Unit) float64 { return times[u.Index] }
		slots := 1 + random.IntN(16)
		result := simulate(w, slots, 1)
		if limit := result.bound(slots) + plan.TargetSeconds; result.makespan > limit {
			t.Errorf("%d slots, seed %d: %.2f s, want at most %.2f s", slots, seed, result.makespan, limit)
		}
	}
}

// One candidate takes 1,000 times what was expected of it: the others go on as if it were not there.
func TestAWrongPredictionStarvesNobody(t *testing.T) {
	for _, position := range []uint32{0, 3, 200, 399} {
		var w work
		for i := range uint32(400) {
			w.add(plan.Unit{Split: i % 5, Candidate: i / 5, Features: map[string]float64{"C": 1}})
		}
		w.seconds = func(u plan.Unit) float64 {
			if u.Index == position {
				return 20
			}
			return 0.02
		}
		const slots = 2
		result := simulate(w, slots, 1)
		late := 0
		for index, at := range result.ended {
			if uint32(index) != position && at > 10 {
				late++
			}
		}
		// Those that travelled with it.
		if most := int(plan.TargetSeconds / 0.02); late > most {
			t.Errorf("unit %d: %d others ended late, want at most the %d of its task", position, late, most)
		}
	}
}

// An earlier job of the kind took a thousandth or a thousand times of what this one takes.
func TestAWrongExperienceKeepsNoSlotWaiting(t *testing.T) {
	for _, showed := range []float64{0.001, 1000} {
		earlier := plan.New()
		grid(earlier, 100, 1)
		observe(earlier, showed, 100)
		w := work{earlier: earlier.Experience(), seconds: func(plan.Unit) float64 { return 1 }}
		for i := range uint32(400) {
			w.add(plan.Unit{Split: i % 5, Candidate: i / 5})
		}
		for _, slots := range []int{1, 2, 8, 32} {
			result := simulate(w, slots, 1)
			if limit := 1.2 * result.bound(slots); result.makespan > limit {
				t.Errorf("%g s expected, %d slots: %.1f s, want at most %.1f s", showed, slots, result.makespan, limit)
			}
		}
	}
}

// text is a search over a vectorizer's settings and a linear model's penalty on five splits.
func text(prefixes, models int) work {
	var w work
	for candidate := range uint32(prefixes * models) {
		for split := range uint32(5) {
			w.add(plan.Unit{
				Split: split, Candidate: candidate, Prefix: fmt.Sprint(int(candidate) / models),
				Features: map[string]float64{"C": float64(candidate) + 1},
			})
		}
	}
	w.seconds = func(u plan.Unit) float64 { return 0.025 }
	w.prefix = func(u plan.Unit) float64 { return 0.4 * float64(1+len(u.Prefix)%2+int(u.Prefix[0]-'0')%2) }
	return w
}

func TestPrefixesAreFittedOnceAndNoSlotStarves(t *testing.T) {
	for _, slots := range []int{1, 2, 4, 8} {
		result := simulate(text(2, 24), slots, 1)
		if result.fitted != 10 {
			t.Errorf("%d slots: prefixes fitted %d times, want 10", slots, result.fitted)
		}
		if limit := 1.15*result.ideal(slots) + 0.8; result.makespan > limit {
			t.Errorf("%d slots: %.2f s, want at most %.2f s", slots, result.makespan, limit)
		}
	}
}

func TestGroupsStayTogetherOnAMachine(t *testing.T) {
	result := simulate(text(4, 24), 8, 4)
	// 20 distinct ones; at the end idle machines fit some again rather than wait.
	if result.fitted > 30 {
		t.Errorf("prefixes were fitted %d times on four machines, want at most 30", result.fitted)
	}
	if limit := result.bound(8) + 1; result.makespan > limit {
		t.Errorf("%.2f s, want at most %.2f s", result.makespan, limit)
	}
}

// A prefix that only one candidate has must not keep its fits out of others' tasks.
func TestUniquePrefixesTravelTogether(t *testing.T) {
	p := plan.New()
	for i := range uint32(2000) {
		p.Add(plan.Unit{Index: i, Candidate: i, Prefix: fmt.Sprint(i)})
	}
	for i := range uint32(64) {
		if task := p.Next(2); len(task) == 0 || task[0] != i {
			break
		}
	}
	observe(p, 0.001, 64)
	tasks := 0
	for p.Len() > 0 {
		p.Next(2)
		tasks++
	}
	if tasks > 200 {
		t.Errorf("%d tasks for about 1,900 units of 1 ms, want at most 200", tasks)
	}
}

func TestSharersCountTheGroup(t *testing.T) {
	p := plan.New()
	for _, unit := range text(2, 3).units {
		p.Add(unit)
	}
	p.Add(plan.Unit{Index: 30})
	if got, alone := p.Sharers(0), p.Sharers(30); got != 3 || alone != 0 {
		t.Errorf("%d and %d sharers, want 3 and 0", got, alone)
	}
}

// forest is a search over numbers of trees: n takes n times as long as 1, its smallest come first.
func forest(sizes, families int) work {
	var w work
	for candidate := range uint32(sizes * families) {
		for split := range uint32(5) {
			size := uint64(10 * (int(candidate)%sizes + 1))
			w.add(plan.Unit{
				Split: split, Candidate: candidate, Family: fmt.Sprint(int(candidate) / sizes), Size: size,
				Features: map[string]float64{"trees": float64(size)},
			})
		}
	}
	w.seconds = func(u plan.Unit) float64 { return 0.0002 * float64(u.Size) }
	w.prefix = func(u plan.Unit) float64 { return 0.01 * float64(10*sizes) }
	return w
}

func TestTheLargestOfAFamilyIsFittedOnceAndFirst(t *testing.T) {
	for _, slots := range []int{1, 2, 4, 8} {
		w := forest(30, 2)
		result := simulate(w, slots, 1)
		if result.fitted != 10 {
			t.Errorf("%d slots: fitted %d times, want 10", slots, result.fitted)
		}
		if limit := 1.15*result.ideal(slots) + 3; result.makespan > limit {
			t.Errorf("%d slots: %.2f s, want at most %.2f s", slots, result.makespan, limit)
		}
		p := plan.New()
		for _, unit := range w.units {
			p.Add(unit)
		}
		for range 10 {
			if task := p.Next(slots); len(task) != 1 || w.units[task[0]].Size != 300 {
				t.Fatalf("%d slots: task %v, want the largest of a family alone", slots, task)
			}
		}
	}
}

func TestFamiliesAreCounted(t *testing.T) {
	p := plan.New()
	for _, unit := range forest(3, 1).units {
		unit.Prefix = "text"
		p.Add(unit)
	}
	p.Add(plan.Unit{Index: 15, Prefix: "text"})
	p.Add(plan.Unit{Index: 16, Family: "alone", Size: 7})
	if members, largest, total := p.Family(0); members != 3 || largest != 30 || total != 60 {
		t.Errorf("%d members, largest %d, total %d, want 3, 30 and 60", members, largest, total)
	}
	for _, index := range []uint32{15, 16, 99} {
		if members, largest, total := p.Family(index); members != 0 || largest != 0 || total != 0 {
			t.Errorf("unit %d: %d members, largest %d, total %d, want none", index, members, largest, total)
		}
	}
	if got := p.Sharers(0); got != 4 {
		t.Errorf("%d sharers of the prefix, want 4 of all families", got)
	}
}

func TestInOrderNobodyWaitsForTheLargest(t *testing.T) {
	p := plan.New()
	p.KeepOrder()
	for _, unit := range forest(3, 1).units {
		p.Add(unit)
	}
	for want := range uint32(5) {
		if task := p.Next(2); len(task) != 1 || task[0] != want {
			t.Fatalf("task %v, want unit %d", task, want)
		}
	}
	if members, _, _ := p.Family(0); members != 0 {
		t.Errorf("%d members, want none", members)
	}
}
