package queue

import (
	"maps"
	"slices"
	"strings"

	pb "github.com/crossfold/crossfold/proto/crossfold/v1"
)

// Difference is the first thing in which an environment is not the one that is wanted.
type Difference struct {
	// Name is "Python" or a package; Wanted and Found are its versions.
	Name, Wanted, Found string
}

// CompareEnvironments returns the first difference that can change a result, or nil. What only one
// side knows is not compared.
func CompareEnvironments(wanted, found *pb.Environment) *Difference {
	mine, theirs := wanted.GetPython(), found.GetPython()
	if mine != "" && theirs != "" && minor(mine) != minor(theirs) {
		return &Difference{"Python", mine, theirs}
	}
	for _, name := range slices.Sorted(maps.Keys(wanted.GetPackages())) {
		mine, theirs := wanted.GetPackages()[name], found.GetPackages()[name]
		if mine != "" && theirs != "" && mine != theirs {
			return &Difference{name, mine, theirs}
		}
	}
	return nil
}

// minor is the first two numbers of a version.
func minor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}
