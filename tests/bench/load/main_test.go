package main

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"
)

// The processes that measure starts are this test's binary.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-role") {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestAKilledCoordinatorRecoversEveryFit(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	measured, err := measure(ctx, options{fits: 2_000, slots: 20, hosts: 2})
	if err != nil {
		t.Fatal(err) // a wrong number of recovered fits is an error, too
	}
	if measured.FitsPerMessage < 2 {
		t.Errorf("%.1f fits a message: quick fits must travel together", measured.FitsPerMessage)
	}
}
