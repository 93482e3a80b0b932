package memory

import pb "github.com/crossfold/crossfold/proto/crossfold/v1"

type fitKey struct {
	job   string
	index uint32
}

// ledger keeps the first result of every fit in the order of arrival. A dropped result leaves a
// hole; holes are closed when they are the larger part.
type ledger struct {
	order  []*pb.Result
	places map[fitKey]int
	jobs   map[string][]uint32
}

func newLedger() ledger {
	return ledger{places: map[fitKey]int{}, jobs: map[string][]uint32{}}
}

func (l *ledger) has(job string, index uint32) bool {
	_, ok := l.places[fitKey{job, index}]
	return ok
}

func (l *ledger) add(result *pb.Result) bool {
	key := fitKey{result.GetJobId(), result.GetIndex()}
	if _, ok := l.places[key]; ok {
		return false
	}
	l.places[key] = len(l.order)
	l.order = append(l.order, result)
	l.jobs[key.job] = append(l.jobs[key.job], key.index)
	return true
}

func (l *ledger) drop(job string) {
	for _, index := range l.jobs[job] {
		key := fitKey{job, index}
		l.order[l.places[key]] = nil
		delete(l.places, key)
	}
	delete(l.jobs, job)
	if len(l.order) > 2*len(l.places) {
		l.order = l.inOrder()
		for i, result := range l.order {
			l.places[fitKey{result.GetJobId(), result.GetIndex()}] = i
		}
	}
}

func (l *ledger) inOrder() []*pb.Result {
	results := make([]*pb.Result, 0, len(l.places))
	for _, result := range l.order {
		if result != nil {
			results = append(results, result)
		}
	}
	return results
}
