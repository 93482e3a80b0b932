package main

import (
	"os"
	"runtime"
)

// leaveCores takes half of the cores at most for a process that feeds slots, which have them all: each
// thread of its own that wakes puts one of them aside. GOMAXPROCS in the environment says otherwise.
func leaveCores() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)/2))
	}
}
