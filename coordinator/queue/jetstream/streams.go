package jetstream

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	tasksStream   = "TASKS"
	resultsStream = "RESULTS"
	faultsStream  = "FAULTS"
	callsStream   = "CALLS"
	jobsStream    = "JOBS"

	// workersConsumer hands tasks to all workers; coordinatorConsumer is the reader of faults and calls.
	workersConsumer     = "workers"
	coordinatorConsumer = "coordinator"

	// maxAckPending is far above twice the slots of any cluster, so that it never holds tasks back.
	maxAckPending = 65_536
	// maxWaiting allows one waiting pull for each slot of a large cluster.
	maxWaiting = 8_192
)

func (q *Queue) createStreams(ctx context.Context) error {
	ctx, cancel, err := q.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	for _, config := range streamConfigs() {
		if _, err := q.js.CreateOrUpdateStream(ctx, config); err != nil {
			return q.failed(err, "creating stream %s", config.Name)
		}
	}
	for stream, config := range q.consumerConfigs() {
		if _, err := q.js.CreateOrUpdateConsumer(ctx, stream, config); err != nil {
			return q.failed(err, "creating consumer %s of stream %s", config.Durable, stream)
		}
	}
	return nil
}

func streamConfigs() []jetstream.StreamConfig {
	return []jetstream.StreamConfig{
		{
			Name: tasksStream, Subjects: []string{"t.*.*"},
			Storage: jetstream.MemoryStorage, Retention: jetstream.WorkQueuePolicy,
			MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true,
			MaxMsgs: -1, MaxBytes: -1, MaxConsumers: -1, MaxMsgSize: -1,
		},
		{
			Name: resultsStream, Subjects: []string{"r.*.*"},
			Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, AllowDirect: true,
			MaxMsgsPerSubject: 1, MaxMsgs: -1, MaxBytes: -1, MaxConsumers: -1, MaxMsgSize: -1,
			Discard: jetstream.DiscardNew, DiscardNewPerSubject: true,
		},
		{
			Name: faultsStream, Subjects: []string{"f.*.*.*"},
			Storage: jetstream.FileStorage, Retention: jetstream.WorkQueuePolicy,
			MaxMsgs: -1, MaxBytes: -1, MaxConsumers: -1, MaxMsgSize: -1,
		},
		{
			Name: callsStream, Subjects: []string{"c.*.*"},
			Storage: jetstream.MemoryStorage, Retention: jetstream.WorkQueuePolicy,
			MaxMsgs: -1, MaxBytes: -1, MaxConsumers: -1, MaxMsgSize: -1,
		},
		{
			Name: jobsStream, Subjects: []string{"j.*"},
			Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, AllowDirect: true,
			MaxMsgsPerSubject: 1, Discard: jetstream.DiscardOld,
			MaxMsgs: -1, MaxBytes: -1, MaxConsumers: -1, MaxMsgSize: -1,
		},
	}
}

// consumerConfigs never use BackOff, which would override the lease, nor a MaxDeliver, after which a
// work queue would keep a message that nobody ever gets.
func (q *Queue) consumerConfigs() map[string]jetstream.ConsumerConfig {
	reader := jetstream.ConsumerConfig{
		Durable: coordinatorConsumer, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: 30 * time.Second, MaxDeliver: -1, MaxAckPending: maxAckPending,
	}
	return map[string]jetstream.ConsumerConfig{
		tasksStream: {
			Durable: workersConsumer, AckPolicy: jetstream.AckExplicitPolicy,
			AckWait: q.lease, MaxDeliver: -1, MaxAckPending: maxAckPending, MaxWaiting: maxWaiting,
		},
		faultsStream: reader,
		callsStream:  reader,
	}
}

func taskSubject(job, task string) string           { return "t." + job + "." + task }
func resultSubject(job string, index uint32) string { return fmt.Sprintf("r.%s.%d", job, index) }
func callsSubject(job, id string) string            { return "c." + job + "." + id }
func jobSubject(job string) string                  { return "j." + job }

func faultSubject(job, task string, attempt uint32) string {
	return fmt.Sprintf("f.%s.%s.%d", job, task, attempt)
}
