package policy_test

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/crossfold/crossfold/bridge/policy"
)

// The example of docs/policies.md is accepted and prints what the page says.
func TestTheExampleOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/policies.md")
	if err != nil {
		t.Fatal(err)
	}
	source := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(page)
	if source == nil {
		t.Fatal("docs/policies.md has no example")
	}
	if problems := policy.Check("rules.py", string(source[1])); len(problems) > 0 {
		t.Fatal(problems)
	}
	p := open(t, string(source[1]))
	calls := regexp.MustCompile(`(?m)^\$ echo '(.*)' \| crossfold policy call rules.py (\w+)\n(.*)$`).FindAllSubmatch(page, -1)
	if len(calls) != 4 {
		t.Fatalf("docs/policies.md shows %d calls, want one for each function", len(calls))
	}
	for _, c := range calls {
		got, err := p.Call(t.Context(), string(c[2]), json.RawMessage(c[1]))
		if err != nil || string(got) != string(c[3]) {
			t.Errorf("%s%s gave %s, %v; the page says %s", c[2], c[1], got, err, c[3])
		}
	}
}
