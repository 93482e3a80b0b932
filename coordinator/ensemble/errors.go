// Package ensemble turns out-of-fold predictions into weights, votes and stacks.
//
// It is pure: no I/O, no clock, no goroutines. Candidates come from a Library one record at a time,
// so memory follows the rows and classes of one candidate, not the number of candidates. Metrics and
// averages equal scikit-learn's, and every choice breaks ties by position, so the same predictions
// always give the same ensemble.
package ensemble

import "errors"

// Errors of this package match one of these with errors.Is.
var (
	// ErrInput means that what was handed in can't be used; the message names the value.
	ErrInput = errors.New("ensemble: bad input")
	// ErrUndefined means that a figure has no value on this data, such as ROC AUC of one class.
	ErrUndefined = errors.New("ensemble: undefined")
)
