// Package workers enters a room it may not enter.
package workers

import _ "github.com/crossfold/crossfold/coordinator/plan"
