package workers_test

import _ "github.com/crossfold/crossfold/coordinator"
