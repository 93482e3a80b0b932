package workers

import (
	"testing"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

func TestOnlyJobsThatNameTensorFlowGetIt(t *testing.T) {
	for want, preloads := range map[kind][][]string{
		baseKind:       {nil, {"sklearn.svm"}, {"kerasish"}, {"my.tensorflow"}},
		tensorflowKind: {{"tensorflow"}, {"sklearn.svm", "keras"}, {"keras.src.wrappers"}},
	} {
		for _, preload := range preloads {
			if got := kindOf(&pb.Code{Preload: preload}); got != want {
				t.Errorf("kindOf(%q) = %s, want %s", preload, got, want)
			}
		}
	}
}
