// Package workers is the sidecar: it fetches tasks, hands them to Python processes, keeps their
// leases while Python holds its own lock, publishes every result before the task is acked, and
// kills what must not go on.
//
// A worker has slots. Each fetches one task at a time, only while it is free and Python is ready:
// what no slot waits for stays available to other workers. While a task runs, the results of the one
// before it are stored. A Python process only ever serves one client session; when that ends, its
// processes are killed.
//
// How an attempt at a task ends:
//
//	every result published        ack; a unit that went over its limits was killed and has one, too
//	its process died              publish a fault, ack: the coordinator hands the rest out again
//	its job was dropped           kill the process, nak (a no-op: the queue has removed the task)
//	its session ended             the same
//	the lease could not be kept   kill the process; the queue hands the task to another worker
//	results could not be stored   kill the process if it still runs, nak
//	the worker closes             kill the process, nak
package workers
