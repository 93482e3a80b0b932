package coordinator

import (
	"slices"

	"github.com/crossfold/crossfold/coordinator/plan"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// rememberedKinds is of how many kinds of jobs the coordinator knows how long their fits take.
const rememberedKinds = 256

// kind is what makes it likely that the fits of two jobs take about as long.
type kind struct {
	name, dataset string
	threads       uint32
}

func kindOf(spec *pb.JobSpec) kind {
	return kind{spec.GetName(), spec.GetDatasetId(), spec.GetCode().GetThreads()}
}

// experiences holds what ended jobs showed, of the kinds seen last.
type experiences struct {
	of    map[kind]*plan.Experience
	order []kind
}

// learn remembers what an ended job showed; not of calls, whose names say little. The caller holds c.mu.
func (c *Coordinator) learn(j *job) {
	if experience := j.machine.Experience(); experience != nil && !j.hasCalls() {
		c.known.keep(kindOf(j.spec), experience)
	}
}

// keep remembers what a job of a kind showed, in place of what earlier ones did.
func (e *experiences) keep(k kind, experience *plan.Experience) {
	if e.of == nil {
		e.of = map[kind]*plan.Experience{}
	}
	e.order = append(slices.DeleteFunc(e.order, func(other kind) bool { return other == k }), k)
	e.of[k] = experience
	if len(e.order) > rememberedKinds {
		delete(e.of, e.order[0])
		e.order = e.order[1:]
	}
}
