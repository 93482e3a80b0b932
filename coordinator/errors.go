package coordinator

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
)

var (
	// ErrClosed is returned by every method after Close.
	ErrClosed = &Error{Code: codes.Unavailable, Message: "the coordinator is closed; open it again"}
	// ErrLocked is wrapped by Open when another process holds the folder.
	ErrLocked = errors.New("another process holds the folder's lock")
)

// Error is an error with a code. Its message says what is wrong and what to do next.
type Error struct {
	// Code classifies the error for programs.
	Code codes.Code
	// Message is for people.
	Message string
	// Err is the cause, or nil.
	Err error
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.Err }

func invalid(format string, args ...any) *Error {
	return &Error{Code: codes.InvalidArgument, Message: fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) *Error {
	return &Error{Code: codes.NotFound, Message: fmt.Sprintf(format, args...)}
}

// coded keeps an Error and gives any other error a code.
func coded(code codes.Code, err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	return &Error{Code: code, Message: err.Error(), Err: err}
}
