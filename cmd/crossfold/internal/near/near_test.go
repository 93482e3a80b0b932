package near

import (
	"testing"
	"testing/quick"
)

func TestClosest(t *testing.T) {
	names := []string{"scoring", "slots", "target", "estimator", "cv"}
	for _, c := range []struct{ word, want string }{
		{"scorng", "scoring"},
		{"Scoring", "scoring"},
		{"slot", "slots"},
		{"estimater", "estimator"},
		{"vc", ""},
		{"colour", ""},
		{"", ""},
	} {
		if got, _ := Closest(c.word, names); got != c.want {
			t.Errorf("Closest(%q) = %q, want %q", c.word, got, c.want)
		}
	}
}

func TestDistanceIsAMetric(t *testing.T) {
	symmetric := func(a, b string) bool { return distance(a, b) == distance(b, a) }
	identity := func(a, b string) bool { return (distance(a, b) == 0) == (string([]rune(a)) == string([]rune(b))) }
	triangle := func(a, b, c string) bool { return distance(a, c) <= distance(a, b)+distance(b, c) }
	for name, property := range map[string]any{"symmetric": symmetric, "identity": identity, "triangle": triangle} {
		if err := quick.Check(property, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
