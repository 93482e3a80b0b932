// Package plan decides which units of a job travel together in one task, and in which order.
//
// A unit is a fit or an opaque call. Units of one task share a split; those that share the prefix of
// a pipeline, too, form a group, which is handed out so that its prefix is fitted once. The units
// that are expected to take longest go first, short ones travel together. Nothing here reads a clock
// or does I/O: what fits took so far is told by Observe.
package plan

import (
	"container/heap"
	"math"
)

const (
	// TargetSeconds is the work a task aims at: between 50 ms, where messages begin to cost, and
	// 200 ms, where slots begin to wait for each other.
	TargetSeconds = 0.100
	// worthSeconds is the work that a task should have if there is so much: a message costs about 1 ms.
	worthSeconds = 0.005
	// MaxUnits bounds a task, so that a lost one costs little.
	MaxUnits = 256
	// MaxBytes bounds the payload of a task, so that its message stays below NATS' 1 MiB.
	MaxBytes = 512 << 10

	// trust is how many units a task may have per unit observed: a first quick fit must not put
	// hundreds of slow ones behind each other.
	trust = 4
	// openPerSlot bounds the prefixes that are kept fitted for waiting units, a slot.
	openPerSlot = 4
	// quick is a time below which the order of units does not matter.
	quick = TargetSeconds / 10
	// firstRanking is the number of observations after which units are ordered first; then at each
	// doubling.
	firstRanking = 4
	// companions bounds the search for other groups that may travel in a task.
	companions = 64
)

// Calls is the split of units that have none.
const Calls = math.MaxUint32

// Unit is one fit or call that waits.
type Unit struct {
	// Index is its position in the job; units are added in this order.
	Index uint32
	// Split is what units of one task share; Calls for opaque calls.
	Split uint32
	// Candidate is whose fit it is: its fits take about as long on every split.
	Candidate uint32
	// Bytes is what it adds to a task's message.
	Bytes int
	// Prefix is equal for units that fit an equal prefix; empty: none.
	Prefix string
	// Family is equal for units of which the smaller ones are cut from the largest one's model, Size how
	// large a unit is; empty: none. Units of one family have one prefix.
	Family string
	Size   uint64
	// Features is what its time may depend on; those of a candidate's first unit count.
	Features map[string]float64
}

// Planner holds a job's waiting units. Its methods take amortised O(log units) per unit. It is not
// safe for concurrent use.
type Planner struct {
	groups map[groupKey]*group
	pools  [stages]pool
	// bySplit holds the groups of a split, to fill up tasks; those without waiting units are dropped late.
	bySplit map[uint32][]*group
	// added counts the units there ever were on a split.
	added map[uint32]uint32
	// units are those that were added, by index, for what is observed of them.
	units   []known
	waiting int
	// hosts is how many machines work on the job.
	hosts int
	// open counts the groups with a fitted prefix that units wait for.
	open int

	predictor predictor
	// prefixes holds the seconds that fitting a prefix, or the largest of a family, took.
	prefixes map[string]*running
	// sharers counts the units that share a prefix, whatever their family.
	sharers map[groupKey]uint32
	prefix  running
	// ranking is the number of observations at which units are ordered again; ranked says that they
	// were.
	ranking int
	ranked  bool
	// inOrder says that time does not count.
	inOrder bool
	// splitBySplit says that all units of a split come before those of the next.
	splitBySplit bool
}

type known struct {
	group     *group
	candidate uint32
}

// running is a running mean.
type running struct {
	count int
	mean  float64
}

func (r *running) add(value float64) {
	r.count++
	r.mean += (value - r.mean) / float64(min(r.count, memory))
}

// New returns a planner with nothing to do.
func New() *Planner {
	return &Planner{
		groups: map[groupKey]*group{}, bySplit: map[uint32][]*group{}, added: map[uint32]uint32{},
		prefixes: map[string]*running{}, sharers: map[groupKey]uint32{}, ranking: firstRanking,
	}
}

// KeepOrder makes the planner hand out units as they were added, whatever time they may take: of a
// job that may end early, the first candidates are to be finished, not the longest begun.
func (p *Planner) KeepOrder() { p.inOrder = true }

// SplitBySplit makes the planner hand out the units of a split together, before those of the next: its
// rows are in memory once for all of them.
func (p *Planner) SplitBySplit() { p.splitBySplit = true }

// Len is the number of waiting units.
func (p *Planner) Len() int { return p.waiting }

// SetHosts tells how many machines work on the job: they don't see each other's fitted prefixes.
func (p *Planner) SetHosts(hosts int) { p.hosts = hosts }

// Sharers is how many units of the job share the prefix and the split of one, itself included; 0 for
// a unit without a prefix.
func (p *Planner) Sharers(index uint32) uint32 {
	if int(index) >= len(p.units) || p.units[index].group.key.prefix == "" {
		return 0
	}
	key := p.units[index].group.key
	return p.sharers[groupKey{split: key.split, prefix: key.prefix}]
}

// Family tells of the units of one's family on its split: how many there are, itself included, the
// largest size, and the sum of all. It is all 0 without others, and where the order of the job counts:
// the first is not to wait for the largest.
func (p *Planner) Family(index uint32) (members uint32, largest, total uint64) {
	if int(index) >= len(p.units) || p.inOrder {
		return 0, 0, 0
	}
	g := p.units[index].group
	if g.key.family == "" || g.added < 2 {
		return 0, 0, 0
	}
	return g.added, g.largest, g.total
}

// SplitUnits is how many units of the job are on a split.
func (p *Planner) SplitUnits(split uint32) uint32 { return p.added[split] }

// Add appends a unit.
func (p *Planner) Add(unit Unit) {
	key := groupKey{unit.Split, unit.Prefix, unit.Family}
	if key.prefix != "" {
		p.sharers[groupKey{split: key.split, prefix: key.prefix}]++
	}
	g := p.groups[key]
	if g == nil {
		g = &group{key: key, place: -1, stage: cold}
		if key.prefix == "" && key.family == "" {
			g.stage = warm
		}
		if p.splitBySplit {
			g.turn = unit.Split
		}
		p.groups[key] = g
	}
	p.waiting++
	p.added[unit.Split]++
	p.predictor.describe(unit.Candidate, unit.Features)
	p.units = append(p.units, known{g, unit.Candidate})
	g.added++
	g.unsorted = g.unsorted || p.ranked || unit.Size > g.largest && g.added > 1 && !p.inOrder
	g.largest = max(g.largest, unit.Size)
	g.total += unit.Size
	g.units = append(g.units, unit)
	if !g.listed {
		g.listed = true
		p.bySplit[key.split] = append(p.bySplit[key.split], g)
	}
	if expected := p.cost(g, unit); g.place < 0 {
		p.enter(g)
	} else if expected > g.longest {
		g.longest = expected
		heap.Fix(&p.pools[g.stage], g.place)
	}
}

// Observe tells how long one unit kept its slot, and the seconds of work on its prefix that another
// unit did for it.
func (p *Planner) Observe(index uint32, seconds, shared float64) {
	if !(seconds >= 0) || math.IsInf(seconds, 1) || int(index) >= len(p.units) {
		return
	}
	unit := p.units[index]
	if g := unit.group; g.stage != warm {
		p.leave(g)
		g.stage = warm
		p.enter(g)
		if shared == 0 && g.isShared() {
			// It fitted the prefix: how long it took itself is not known.
			p.observePrefix(g.key.shared(), max(seconds-p.predictor.seconds(unit.candidate), 0))
			return
		}
	}
	p.predictor.observe(unit.candidate, seconds)
	if !p.inOrder && p.predictor.observed >= p.ranking {
		p.ranking *= 2
		p.rank()
	}
}

func (p *Planner) observePrefix(prefix string, seconds float64) {
	if p.prefixes[prefix] == nil {
		p.prefixes[prefix] = &running{}
	}
	p.prefixes[prefix].add(seconds)
	p.prefix.add(seconds)
}

// prefixSeconds is how long fitting a prefix may take.
func (p *Planner) prefixSeconds(prefix string) float64 {
	if seen := p.prefixes[prefix]; seen != nil {
		return seen.mean
	}
	return p.prefix.mean
}

// cost is the time to expect of a unit, with its prefix while nobody has begun to fit that.
func (p *Planner) cost(g *group, unit Unit) float64 {
	if p.inOrder {
		return 0
	}
	seconds := p.predictor.seconds(unit.Candidate)
	if g.stage == cold && g.isShared() {
		seconds += p.prefixSeconds(g.key.shared())
	}
	return seconds
}

// enter puts a group with waiting units into the pool of its stage.
func (p *Planner) enter(g *group) {
	if g.place >= 0 || g.head == len(g.units) {
		return
	}
	g.longest = p.cost(g, g.units[g.head])
	if g.unsorted {
		for _, unit := range g.waiting() {
			g.longest = max(g.longest, p.cost(g, unit))
		}
	}
	if g.isShared() && g.stage != cold {
		p.open++
		g.open = true
	}
	heap.Push(&p.pools[g.stage], g)
}

// leave takes a group out of its pool.
func (p *Planner) leave(g *group) {
	if g.place < 0 {
		return
	}
	if g.open {
		p.open--
		g.open = false
	}
	p.pools[g.stage].remove(g)
}

// rank orders what waits by what is known now, unless all of it is quick.
func (p *Planner) rank() {
	longest := 0.0
	for i := range p.predictor.candidates {
		longest = max(longest, p.predictor.seconds(uint32(i)))
	}
	if longest < quick {
		return
	}
	p.ranked = true
	for stage := range p.pools {
		for _, g := range p.pools[stage] {
			p.order(g)
			g.longest = p.cost(g, g.units[g.head])
		}
		heap.Init(&p.pools[stage])
	}
}

func (p *Planner) order(g *group) {
	g.order(func(unit Unit) float64 { return p.predictor.seconds(unit.Candidate) })
}

// Next takes the units of the next task; nil when none wait.
func (p *Planner) Next(slots int) []uint32 {
	g := p.choose(slots)
	if g == nil {
		return nil
	}
	task := assembly{most: p.size(slots), room: TargetSeconds * (1 + 1e-9)}
	p.fill(&task, g, slots)
	// What is left of the time goes to other groups of the split.
	others := p.bySplit[g.key.split]
	for i, tries := 0, companions; i < len(others) && tries > 0 && !task.full; tries-- {
		other := others[i]
		if len(other.waiting()) == 0 {
			other.listed = false
			last := len(others) - 1
			others[i], others[last] = others[last], nil
			others = others[:last]
			continue
		}
		if other.stage != warming {
			p.fill(&task, other, slots)
		}
		i++
	}
	p.bySplit[g.key.split] = others
	return task.units
}

// choose picks the group that the next task begins with: the longest of those that are warm and of
// those that are cold; what would wait for another task comes last.
func (p *Planner) choose(slots int) *group {
	warmest, coldest := p.pools[warm].first(), p.pools[cold].first()
	if coldest != nil && (warmest == nil || p.open < openPerSlot*max(slots, 1) && before(coldest, warmest)) {
		return coldest
	}
	if warmest != nil {
		return warmest
	}
	return p.pools[warming].first()
}

// assembly is a task that is being put together.
type assembly struct {
	units []uint32
	// most is the number of units it may have, room the seconds that are left.
	most  int
	room  float64
	bytes int
	full  bool
}

func (t *assembly) takes(unit Unit, seconds float64) bool {
	return len(t.units) == 0 ||
		len(t.units) < t.most && seconds <= t.room && t.bytes+unit.Bytes <= MaxBytes
}

// fill moves units of a group into a task until either has no more.
func (p *Planner) fill(task *assembly, g *group, slots int) {
	if g.stage == cold && g.isShared() {
		prefix := p.prefixSeconds(g.key.shared())
		if slow := prefix > quick || p.prefix.count == 0; slow && len(task.units) > 0 {
			return
		} else if slow {
			task.most, task.full = p.pioneers(g, slots), true
			task.room = math.Inf(1)
		}
		task.room -= prefix
	}
	p.leave(g)
	if g.unsorted {
		p.order(g)
	}
	taken := false
	for _, unit := range g.waiting() {
		seconds := p.predictor.seconds(unit.Candidate)
		if !task.takes(unit, seconds) {
			task.full = true
			break
		}
		task.units = append(task.units, unit.Index)
		task.room -= seconds
		task.bytes += unit.Bytes
		g.head++
		p.waiting--
		taken = true
	}
	if g.stage == cold && taken {
		g.stage = warming
		g.unsorted = g.unsorted || g.key.family != "" && p.ranked
	}
	if g.head == len(g.units) {
		g.units, g.head = nil, 0
	}
	p.enter(g)
}

// pioneers is how many units go with the one that fits a prefix: none on one machine, where all can
// take it over; among several their share of the group, since each machine fits it for itself.
func (p *Planner) pioneers(g *group, slots int) int {
	if p.hosts < 2 {
		return 1
	}
	all := len(g.waiting())
	fair := (p.waiting + max(slots, 1) - 1) / max(slots, 1)
	if float64(all-fair)*p.predictor.seconds(g.units[g.head].Candidate) < p.prefixSeconds(g.key.shared()) {
		fair = all // fitting the prefix again would take longer than what it is fitted for
	}
	return max(1, min(all, fair, MaxUnits))
}

// size is the number of units a task may have now, at least one.
func (p *Planner) size(slots int) int {
	if p.predictor.observed == 0 {
		return 1
	}
	// In the tail every slot gets at least two more tasks, so that none waits for a long one.
	share := 2 * max(slots, 1)
	tail := (p.waiting + share - 1) / share
	worth := int(worthSeconds / p.predictor.typical())
	return max(1, min(MaxUnits, trust*p.predictor.observed, max(tail, worth)))
}
