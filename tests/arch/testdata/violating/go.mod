module github.com/crossfold/crossfold

go 1.26.0
