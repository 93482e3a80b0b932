package jetstream

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"google.golang.org/protobuf/proto"

	"github.com/crossfold/crossfold/coordinator/queue"
	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// PublishResult stores a fit's first result under its subject.
func (q *Queue) PublishResult(ctx context.Context, result *pb.Result) (bool, error) {
	job, index := result.GetJobId(), result.GetIndex()
	if err := queue.CheckID("job", job); err != nil {
		return false, err
	}
	data, err := appendDelimited(nil, result)
	if err != nil {
		return false, q.failed(err, "encoding result %d of job %s", index, job)
	}
	first, err := q.publishOnce(ctx, resultSubject(job, index), data)
	return first, q.failed(err, "storing result %d of job %s", index, job)
}

// PublishResults stores results under the subject of the first of them: one message, one sync.
func (q *Queue) PublishResults(ctx context.Context, results []*pb.Result) error {
	for len(results) > 0 {
		job, index := results[0].GetJobId(), results[0].GetIndex()
		if err := queue.CheckID("job", job); err != nil {
			return err
		}
		data, n, err := q.pack(results)
		if err != nil {
			return q.failed(err, "encoding results from %d of job %s", index, job)
		}
		first, err := q.publishOnce(ctx, resultSubject(job, index), data)
		if err != nil {
			return q.failed(err, "storing %d results from %d of job %s", n, index, job)
		}
		if !first {
			n = 1 // the subject's message holds this fit's result, and maybe not the others'
		}
		results = results[n:]
	}
	return nil
}

// pack encodes as many results of the first one's job as a message should hold.
func (q *Queue) pack(results []*pb.Result) (data []byte, n int, err error) {
	// Half the limit leaves room for the last result that is added.
	limit := int(q.conn.MaxPayload() / 2)
	job := results[0].GetJobId()
	for n < len(results) && results[n].GetJobId() == job && len(data) < limit {
		if data, err = appendDelimited(data, results[n]); err != nil {
			return nil, 0, err
		}
		n++
	}
	return data, n, nil
}

// publishOnce stores a message unless its subject has one; then first is false.
func (q *Queue) publishOnce(ctx context.Context, subject string, data []byte) (first bool, err error) {
	ctx, cancel, err := q.begin(ctx)
	if err != nil {
		return false, err
	}
	defer cancel()
	// Expecting no earlier message has an error code of its own; the stream's discard-new, which
	// holds for publishers that expect nothing, has only a text.
	_, err = q.js.Publish(ctx, subject, data, jetstream.WithExpectLastSequencePerSubject(0))
	var refused *jetstream.APIError
	if errors.As(err, &refused) {
		switch refused.ErrorCode {
		case jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant:
			return false, nil
		}
	}
	return err == nil, err
}

// PublishCallResults sends results in as few messages as their size allows.
func (q *Queue) PublishCallResults(ctx context.Context, results []*pb.Result) error {
	for len(results) > 0 {
		job := results[0].GetJobId()
		if err := queue.CheckID("job", job); err != nil {
			return err
		}
		data, sent, err := q.pack(results)
		if err != nil {
			return q.failed(err, "encoding results of job %s", job)
		}
		if err := q.publish(ctx, callsSubject(job, nuid.Next()), data); err != nil {
			return q.failed(err, "sending %d results of job %s", sent, job)
		}
		results = results[sent:]
	}
	return nil
}

// PublishFault stores a fault until the coordinator has seen it.
func (q *Queue) PublishFault(ctx context.Context, fault *pb.Fault) error {
	err := cmp.Or(queue.CheckID("job", fault.GetJobId()), queue.CheckID("task", fault.GetTaskId()))
	if err != nil {
		return err
	}
	data, err := proto.Marshal(fault)
	if err == nil {
		err = q.publish(ctx, faultSubject(fault.GetJobId(), fault.GetTaskId(), fault.GetAttempt()), data)
	}
	return q.failed(err, "reporting a fault of task %s", fault.GetTaskId())
}

// publish waits until the stream has stored the message.
func (q *Queue) publish(ctx context.Context, subject string, data []byte) error {
	ctx, cancel, err := q.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	_, err = q.js.Publish(ctx, subject, data)
	return err
}

// HasResults looks fits up in the ledger. A message that is found tells of all fits in it.
func (q *Queue) HasResults(ctx context.Context, jobID string, indices []uint32) ([]bool, error) {
	if err := queue.CheckID("job", jobID); err != nil {
		return nil, err
	}
	ctx, cancel, err := q.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	stream, err := q.stream(ctx, resultsStream)
	if err != nil {
		return nil, q.failed(err, "opening stream %s", resultsStream)
	}
	found := map[uint32]bool{}
	for _, index := range indices {
		if found[index] {
			continue
		}
		message, err := stream.GetLastMsgForSubject(ctx, resultSubject(jobID, index))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		var results []*pb.Result
		if err == nil {
			results, err = decodeResults(message.Data)
		}
		if err != nil {
			return nil, q.failed(err, "looking for result %d of job %s", index, jobID)
		}
		for _, result := range results {
			found[result.GetIndex()] = true
		}
	}
	has := make([]bool, len(indices))
	for i, index := range indices {
		has[i] = found[index]
	}
	return has, nil
}

// stream looks a stream up, once.
func (q *Queue) stream(ctx context.Context, name string) (jetstream.Stream, error) {
	if known, ok := q.streams.Load(name); ok {
		return known.(jetstream.Stream), nil
	}
	stream, err := q.js.Stream(ctx, name)
	if err == nil {
		q.streams.Store(name, stream)
	}
	return stream, err
}

// SaveJob writes a manifest.
func (q *Queue) SaveJob(ctx context.Context, manifest *queue.Manifest) error {
	if err := queue.CheckID("job", manifest.JobID); err != nil {
		return err
	}
	data, err := encodeManifest(manifest)
	if err == nil {
		err = q.publish(ctx, jobSubject(manifest.JobID), data)
	}
	return q.failed(err, "saving job %s", manifest.JobID)
}

// Jobs reads every manifest. One that can't be read is logged and left out.
func (q *Queue) Jobs(ctx context.Context) ([]*queue.Manifest, error) {
	ctx, cancel, err := q.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	stream, err := q.stream(ctx, jobsStream)
	if err != nil {
		return nil, q.failed(err, "opening stream %s", jobsStream)
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(jobSubject("*")))
	if err != nil {
		return nil, q.failed(err, "listing jobs")
	}
	all := make([]*queue.Manifest, 0, len(info.State.Subjects))
	for subject := range info.State.Subjects {
		message, err := stream.GetLastMsgForSubject(ctx, subject)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // dropped since
		}
		if err != nil {
			return nil, q.failed(err, "reading %s", subject)
		}
		manifest, err := decodeManifest(message.Data)
		if err != nil {
			q.logger.Error("queue: unreadable manifest left out", "subject", subject, "error", err)
			continue
		}
		all = append(all, manifest)
	}
	slices.SortFunc(all, func(a, b *queue.Manifest) int {
		return cmp.Or(cmp.Compare(a.SubmittedUnix, b.SubmittedUnix), cmp.Compare(a.JobID, b.JobID))
	})
	return all, nil
}

// DropTasks purges a job's tasks and tells workers.
func (q *Queue) DropTasks(ctx context.Context, jobID string) error {
	if err := queue.CheckID("job", jobID); err != nil {
		return err
	}
	if err := q.purge(ctx, tasksStream, taskSubject(jobID, "*")); err != nil {
		return err
	}
	return q.send(ctx, "drop."+jobID, nil)
}

// DropJob forgets a job. Its manifest goes last, so that a half dropped job is found again.
func (q *Queue) DropJob(ctx context.Context, jobID string) error {
	if err := q.DropTasks(ctx, jobID); err != nil {
		return err
	}
	for _, p := range []struct{ stream, subject string }{
		{faultsStream, "f." + jobID + ".>"},
		{callsStream, callsSubject(jobID, "*")},
		{resultsStream, "r." + jobID + ".*"},
		{jobsStream, jobSubject(jobID)},
	} {
		if err := q.purge(ctx, p.stream, p.subject); err != nil {
			return err
		}
	}
	return nil
}

func (q *Queue) purge(ctx context.Context, stream, subject string) error {
	ctx, cancel, err := q.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	handle, err := q.stream(ctx, stream)
	if err == nil {
		err = handle.Purge(ctx, jetstream.WithPurgeSubject(subject))
	}
	return q.failed(err, "purging %s from stream %s", subject, stream)
}
