package queuetest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

func store(t *testing.T, q queue.Queue, r *pb.Result) bool {
	t.Helper()
	first, err := q.PublishResult(patient(t), r)
	check(t, err)
	return first
}

func theFirstResultStands(t *testing.T, q queue.Queue) {
	if !store(t, q, result("job", 0, "first")) {
		t.Error("the first result was not the first")
	}
	for range 3 {
		if store(t, q, result("job", 0, "later")) {
			t.Error("a later result was taken for the first")
		}
	}
	if !store(t, q, result("job", 1, "other")) || !store(t, q, result("job2", 0, "other job")) {
		t.Error("the first result of another fit was not the first")
	}
	has, err := q.HasResults(patient(t), "job", []uint32{0, 7})
	check(t, err)
	if !slices.Equal(has, []bool{true, false}) {
		t.Errorf("HasResults = %v for a stored fit and for none, want true and false", has)
	}
	replay, _ := outcomes(t, q)
	if got, want := describe(replay), "job/0:first job/1:other job2/0:other job "; got != want {
		t.Errorf("ledger %q, want %q", got, want)
	}
}

func resultsStoredTogetherStand(t *testing.T, q queue.Queue) {
	together := func(note string, indices ...uint32) {
		t.Helper()
		var results []*pb.Result
		for _, index := range indices {
			results = append(results, result("job", index, note))
		}
		check(t, q.PublishResults(patient(t), results))
	}
	together("a", 3, 1, 2)
	together("b", 3, 1, 2)             // the same task once more
	together("c", 3, 4)                // another that begins with the same fit
	store(t, q, result("job", 1, "d")) // a fit from the middle
	together("e", 0, 2)
	has, err := q.HasResults(patient(t), "job", []uint32{3, 1, 2, 9})
	check(t, err)
	if !slices.Equal(has, []bool{true, true, true, false}) {
		t.Errorf("HasResults = %v for three fits of a task that are stored and one that is not", has)
	}
	first := map[uint32]string{}
	replay, _ := outcomes(t, q)
	for _, r := range replay {
		if _, ok := first[r.GetIndex()]; !ok {
			first[r.GetIndex()] = r.GetOutput()
		}
	}
	want := map[uint32]string{0: "e", 1: "a", 2: "a", 3: "a", 4: "c"}
	if !maps.Equal(first, want) {
		t.Errorf("the first results are %v, want %v", first, want)
	}
}

func racingResultsHaveOneWinner(t *testing.T, q queue.Queue) {
	const racers = 8
	won := make(chan bool, racers)
	for range racers {
		go func() {
			first, err := q.PublishResult(patient(t), result("job", 0, ""))
			won <- err == nil && first
		}()
	}
	winners := 0
	for range racers {
		if receive(t, won) {
			winners++
		}
	}
	if winners != 1 {
		t.Errorf("%d of %d racing results were the first, want 1", winners, racers)
	}
}

func outcomesReplayTheLedgerFirst(t *testing.T, q queue.Queue) {
	check(t, q.PublishFault(patient(t), &pb.Fault{TaskId: "t1", JobId: "job"}))
	for i := range uint32(30) {
		store(t, q, result("job", i, "old"))
	}
	replay, live := outcomes(t, q)
	if len(replay) != 30 {
		t.Fatalf("%d results replayed, want 30: %s", len(replay), describe(replay))
	}
	for i, r := range replay {
		if r.GetIndex() != uint32(i) {
			t.Fatalf("result %d came at place %d", r.GetIndex(), i)
		}
	}
	if outcome := receive(t, live); outcome.Fault.GetTaskId() != "t1" {
		t.Errorf("outcome %v came, want the fault of t1", outcome)
	}
	store(t, q, result("job", 30, "new"))
	if outcome := receive(t, live); describe(outcome.Results) != "job/30:new " {
		t.Errorf("outcome %v came, want the new result", outcome)
	}
}

func callResultsAndFaultsComeOnce(t *testing.T, q queue.Queue) {
	ctx, cancel := context.WithCancel(patient(t))
	live, err := q.Outcomes(ctx)
	check(t, err)
	if !receive(t, live).Replayed {
		t.Error("an empty ledger's replay does not end at once")
	}
	check(t, q.PublishCallResults(patient(t), []*pb.Result{result("calls", 0, "a"), result("calls", 1, "b")}))
	if outcome := receive(t, live); describe(outcome.Results) != "calls/0:a calls/1:b " {
		t.Errorf("outcome %v came, want both results of calls", outcome)
	}
	check(t, q.PublishFault(patient(t), &pb.Fault{TaskId: "t1", JobId: "job", Attempt: 1}))
	check(t, q.PublishFault(patient(t), &pb.Fault{TaskId: "t1", JobId: "job", Attempt: 2}))
	for attempt := range uint32(2) {
		if outcome := receive(t, live); outcome.Fault.GetAttempt() != attempt+1 {
			t.Errorf("outcome %v came, want the fault of attempt %d", outcome, attempt+1)
		}
	}
	store(t, q, result("job", 0, "fit"))
	if outcome := receive(t, live); describe(outcome.Results) != "job/0:fit " {
		t.Errorf("outcome %v came, want the result of the fit", outcome)
	}
	cancel()
	ended(t, live)
	replay, live := outcomes(t, q)
	if describe(replay) != "job/0:fit " {
		t.Errorf("the second consumer got %q, want the ledger alone", describe(replay))
	}
	check(t, q.PublishFault(patient(t), &pb.Fault{TaskId: "t2", JobId: "job"}))
	if outcome := receive(t, live); outcome.Fault.GetTaskId() != "t2" {
		t.Errorf("outcome %v came, want the fault of t2 alone", outcome)
	}
}

func outcomesHaveOneConsumer(t *testing.T, q queue.Queue) {
	outcomes(t, q)
	if _, err := q.Outcomes(patient(t)); err == nil {
		t.Error("a second consumer of outcomes was let in")
	}
}

func largeCallResultsArrive(t *testing.T, q queue.Queue) {
	const count = 300
	value := []byte(strings.Repeat("x", 64<<10))
	var results []*pb.Result
	for i := range uint32(count) {
		r := result("calls", i, "")
		r.Value = &pb.Value{Kind: &pb.Value_Inline{Inline: value}}
		results = append(results, r)
	}
	_, live := outcomes(t, q)
	check(t, q.PublishCallResults(patient(t), results))
	for next := uint32(0); next < count; {
		for _, r := range receive(t, live).Results {
			if r.GetIndex() != next || len(r.GetValue().GetInline()) != len(value) {
				t.Fatalf("result %d with %d bytes came, want %d", r.GetIndex(), len(r.GetValue().GetInline()), next)
			}
			next++
		}
	}
}

func manifest(job string, unix int64, phase pb.JobState_Phase) *queue.Manifest {
	return &queue.Manifest{
		JobID: job, SubmittedUnix: unix, Spec: &pb.JobSpec{Name: "name of " + job},
		State: &pb.JobState{Phase: phase},
	}
}

func jobsAreListedOldestFirst(t *testing.T, q queue.Queue) {
	running, done := pb.JobState_PHASE_RUNNING, pb.JobState_PHASE_DONE
	check(t, q.SaveJob(patient(t), manifest("b", 200, running)))
	check(t, q.SaveJob(patient(t), manifest("a", 100, running)))
	check(t, q.SaveJob(patient(t), manifest("c", 300, running)))
	check(t, q.SaveJob(patient(t), manifest("a", 100, done)))
	jobs, err := q.Jobs(patient(t))
	check(t, err)
	if len(jobs) != 3 || jobs[0].JobID != "a" || jobs[1].JobID != "b" || jobs[2].JobID != "c" {
		t.Fatalf("jobs %v, want a, b, c", jobs)
	}
	if jobs[0].State.GetPhase() != done || jobs[0].Spec.GetName() != "name of a" || jobs[0].SubmittedUnix != 100 {
		t.Errorf("job a is %v, want the manifest saved last", jobs[0])
	}
}

func aDroppedJobIsForgotten(t *testing.T, q queue.Queue) {
	dropped, err := q.Dropped(patient(t))
	check(t, err)
	for _, job := range []string{"gone", "stays"} {
		check(t, q.SaveJob(patient(t), manifest(job, 1, pb.JobState_PHASE_RUNNING)))
		store(t, q, result(job, 0, ""))
	}
	publish(t, q, "gone", "t1")
	check(t, q.DropJob(patient(t), "gone"))
	if id := receive(t, dropped); id != "gone" {
		t.Errorf("Dropped delivered %q, want gone", id)
	}
	nothingToFetch(t, q, tasks(t, q))
	jobs, err := q.Jobs(patient(t))
	check(t, err)
	if len(jobs) != 1 || jobs[0].JobID != "stays" {
		t.Errorf("jobs %v, want the other alone", jobs)
	}
	has, err := q.HasResults(patient(t), "gone", []uint32{0})
	check(t, err)
	replay, _ := outcomes(t, q)
	if has[0] || describe(replay) != "stays/0: " {
		t.Errorf("the ledger holds %q, want the other's result alone", describe(replay))
	}
	if !store(t, q, result("gone", 0, "again")) {
		t.Error("a result of a forgotten job still stands")
	}
}

func badIDsAreRefused(t *testing.T, q queue.Queue) {
	for _, bad := range []string{"", "a.b", "*", ">", "a b", "é", strings.Repeat("x", 200)} {
		_, err := q.PublishResult(patient(t), result(bad, 0, ""))
		errs := map[string]error{
			"PublishTask":    q.PublishTask(patient(t), &pb.Task{Id: "t", JobId: bad}),
			"PublishResult":  err,
			"PublishResults": q.PublishResults(patient(t), []*pb.Result{result(bad, 0, "")}),
			"SaveJob":        q.SaveJob(patient(t), manifest(bad, 1, pb.JobState_PHASE_RUNNING)),
			"DropJob":        q.DropJob(patient(t), bad),
			"EndSession":     q.EndSession(patient(t), bad),
			"Heartbeat":      q.Heartbeat(patient(t), &pb.WorkerInfo{Id: bad}),
		}
		for method, err := range errs {
			if err == nil {
				t.Errorf("%s took the id %q", method, bad)
			}
		}
	}
}

func waitsEndWithTheirContext(t *testing.T, q queue.Queue) {
	ctx, cancel := context.WithCancel(context.Background())
	outcomes, err := q.Outcomes(ctx)
	check(t, err)
	beats, err := q.Heartbeats(ctx)
	check(t, err)
	dropped, err := q.Dropped(ctx)
	check(t, err)
	source := tasks(t, q)
	fetched := make(chan error, 1)
	go func() {
		_, err := source.Fetch(ctx)
		fetched <- err
	}()
	cancel()
	ended(t, outcomes)
	ended(t, beats)
	ended(t, dropped)
	if err := receive(t, fetched); !errors.Is(err, context.Canceled) {
		t.Errorf("Fetch ended with %v, want context.Canceled", err)
	}
	expired, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
	defer cancel()
	<-expired.Done()
	if _, err := source.Fetch(expired); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Fetch with an expired context: %v, want context.DeadlineExceeded", err)
	}
}

func aClosedQueueSaysSo(t *testing.T, q queue.Queue) {
	ctx := patient(t)
	live, err := q.Outcomes(ctx)
	check(t, err)
	beats, err := q.Heartbeats(ctx)
	check(t, err)
	source, err := q.Tasks(ctx)
	check(t, err)
	publish(t, q, "job", "t1")
	held := fetch(t, source)
	waiting := make(chan error, 1)
	go func() {
		_, err := source.Fetch(ctx)
		waiting <- err
	}()
	closeQueue(t, q)
	closeQueue(t, q)
	ended(t, live)
	ended(t, beats)
	_, resultErr := q.PublishResult(ctx, result("job", 0, ""))
	_, tasksErr := q.Tasks(ctx)
	_, jobsErr := q.Jobs(ctx)
	_, outcomesErr := q.Outcomes(ctx)
	_, droppedErr := q.Dropped(ctx)
	_, hasErr := q.HasResults(ctx, "job", []uint32{0})
	_, fetchErr := source.Fetch(ctx)
	errs := map[string]error{
		"a waiting Fetch":    receive(t, waiting),
		"Fetch":              fetchErr,
		"Extend":             held.Extend(ctx),
		"Ack":                held.Ack(ctx),
		"PublishTask":        q.PublishTask(ctx, &pb.Task{Id: "t", JobId: "job"}),
		"PublishResult":      resultErr,
		"PublishCallResults": q.PublishCallResults(ctx, []*pb.Result{result("job", 0, "")}),
		"PublishFault":       q.PublishFault(ctx, &pb.Fault{TaskId: "t", JobId: "job"}),
		"HasResults":         hasErr,
		"Outcomes":           outcomesErr,
		"SaveJob":            q.SaveJob(ctx, manifest("job", 1, pb.JobState_PHASE_RUNNING)),
		"Jobs":               jobsErr,
		"DropTasks":          q.DropTasks(ctx, "job"),
		"DropJob":            q.DropJob(ctx, "job"),
		"Dropped":            droppedErr,
		"EndSession":         q.EndSession(ctx, "s"),
		"Heartbeat":          q.Heartbeat(ctx, &pb.WorkerInfo{Id: "w"}),
		"Tasks":              tasksErr,
	}
	for method, err := range errs {
		if !errors.Is(err, queue.ErrClosed) {
			t.Errorf("%s of a closed queue: %v, want ErrClosed", method, err)
		}
	}
	check(t, source.Close())
}

func theLedgerSurvivesReopening(t *testing.T, q queue.Queue, again func() queue.Queue) {
	for i := range uint32(20) {
		store(t, q, result("job", i, "kept"))
	}
	check(t, q.SaveJob(patient(t), manifest("job", 42, pb.JobState_PHASE_RUNNING)))
	check(t, q.PublishFault(patient(t), &pb.Fault{TaskId: "t1", JobId: "job"}))
	publish(t, q, "job", "t1")
	closeQueue(t, q)

	q = again()
	t.Cleanup(func() { closeQueue(t, q) })
	if store(t, q, result("job", 3, "later")) {
		t.Error("a result stored before reopening does not stand")
	}
	jobs, err := q.Jobs(patient(t))
	check(t, err)
	if len(jobs) != 1 || jobs[0].JobID != "job" || jobs[0].SubmittedUnix != 42 {
		t.Errorf("jobs %v after reopening, want the one saved", jobs)
	}
	replay, live := outcomes(t, q)
	if len(replay) != 20 {
		t.Errorf("%d results replayed, want 20", len(replay))
	}
	for i, r := range replay {
		if r.GetIndex() != uint32(i) || r.GetOutput() != "kept" {
			t.Fatalf("result %d (%q) replayed at place %d", r.GetIndex(), r.GetOutput(), i)
		}
	}
	if outcome := receive(t, live); outcome.Fault.GetTaskId() != "t1" {
		t.Errorf("outcome %v came, want the fault that nobody had seen", outcome)
	}
}
