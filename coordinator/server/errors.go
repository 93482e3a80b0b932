package server

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/crossfold/crossfold/arrowipc/store"
	"github.com/crossfold/crossfold/coordinator"
	"github.com/crossfold/crossfold/coordinator/queue"
)

// table is the one place where errors become status codes. The first that matches counts; an error
// that is not in it is an internal one.
var table = []struct {
	err  error
	code codes.Code
}{
	{context.Canceled, codes.Canceled},
	{context.DeadlineExceeded, codes.DeadlineExceeded},
	{store.ErrNotFound, codes.NotFound},
	{store.ErrInvalidID, codes.InvalidArgument},
	{store.ErrHashMismatch, codes.InvalidArgument},
	{store.ErrInvalidRange, codes.OutOfRange},
	{queue.ErrClosed, codes.Unavailable},
}

// statusOf turns an error into a status whose message says what is wrong and what to do next.
func statusOf(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	var known *coordinator.Error
	if errors.As(err, &known) {
		return status.Error(known.Code, known.Message)
	}
	for _, row := range table {
		if errors.Is(err, row.err) {
			return status.Error(row.code, err.Error())
		}
	}
	return status.Error(codes.Internal, err.Error())
}
