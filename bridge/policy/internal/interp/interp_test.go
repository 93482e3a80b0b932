package interp

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/crossfold/crossfold/bridge/policy/internal/translate"
)

func loadSource(t testing.TB, source string) *Interp {
	t.Helper()
	program, problems := translate.Translate(source)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	in, fault := Load(program, Limits{Steps: 1_000_000, Bytes: 1 << 20})
	if fault != nil {
		t.Fatal(fault)
	}
	return in
}

// What the translator lets through must exist here, and nothing more.
func TestTheTwoListsOfNamesAgree(t *testing.T) {
	known := translate.Known()
	in := loadSource(t, "x = 1\n")
	agree := func(what string, allowed, present map[string]bool) {
		t.Helper()
		if !maps.Equal(allowed, present) {
			t.Errorf("%s: let through are %v, present are %v", what, allowed, present)
		}
	}
	agree("builtins", known.Functions, keys(in.builtins()))
	agree("exceptions", known.Exceptions, keys(exceptionClasses))
	methods := map[string]bool{}
	for _, names := range methodsOf {
		for _, name := range names {
			methods[name] = true
		}
	}
	agree("methods", known.Methods, methods)
	for module, names := range known.Members {
		agree(module, names, keys(in.modules[module].members))
	}
}

func keys[V any](m map[string]V) map[string]bool {
	names := map[string]bool{}
	for name := range m {
		names[name] = true
	}
	return names
}

// exp, log and ** give the float that CPython's C library gives, or refuse; they refuse few.
func TestPowersAndLogarithmsAreCPythons(t *testing.T) {
	o := startOracle(t)
	r := rand.New(rand.NewPCG(7, 7))
	var calls []string
	for range 600 {
		calls = append(calls,
			fmt.Sprintf("math.exp(%v)", floatRepr((r.Float64()*2-1)*math.Pow(10, r.Float64()*4-2))),
			fmt.Sprintf("math.log(%v)", floatRepr(math.Exp(r.Float64()*40-20))),
			fmt.Sprintf("math.log(%v)", floatRepr(0.5+r.Float64())),
			fmt.Sprintf("%v ** %v", floatRepr(math.Exp(r.Float64()*10-5)), floatRepr((r.Float64()-0.5)*20)),
			fmt.Sprintf("%v ** 2", floatRepr(r.Float64()*1000)),
			fmt.Sprintf("10 ** -%d", 1+r.IntN(300)))
	}
	refused := 0
	for start := 0; start < len(calls); start += 100 {
		batch := calls[start : start+100]
		want := strings.Split(strings.Trim(o.answer(t, "import math\ndef main():\n    return ["+strings.Join(batch, ", ")+"]\n").Repr,
			"[]"), ", ")
		for i, call := range batch {
			got := ours("import math\ndef main():\n    return " + call + "\n")
			switch {
			case got.refusal != "":
				refused++
			case got.Repr != want[i]:
				t.Errorf("%s: CPython gives %s, here it gave %+v", call, want[i], got)
			}
		}
	}
	if refused > len(calls)/40 {
		t.Errorf("%d of %d calls refused", refused, len(calls))
	}
}

func TestPortableLogarithmIsClose(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 2000 {
		x := math.Exp(r.Float64()*1400 - 700)
		if got, want := portableLog(x), math.Log(x); math.Abs(got-want) > 4e-16*math.Max(1, math.Abs(want)) {
			t.Fatalf("log(%v) is %v, want %v", x, got, want)
		}
		y := r.Float64()*1400 - 700
		if got, want := portableExp(y), math.Exp(y); math.Abs(got-want) > 1e-15*want {
			t.Fatalf("exp(%v) is %v, want %v", y, got, want)
		}
	}
}

// The numbers that python/tests/test_policy.py expects of the twin.
func TestTheGeneratorsFirstNumbers(t *testing.T) {
	in := loadSource(t, `
from crossfold.policy import choice, loguniform, randint, seed, uniform
def main():
    seed(42)
    return [uniform(0, 1), uniform(-5, 5), loguniform(0.001, 1000), randint(1, 6), choice(["a", "b", "c"])]
`)
	got, fault := in.Call("main", nil)
	if fault != nil {
		t.Fatal(fault)
	}
	const want = `[0.7415648787718233,-3.400896071230799,0.046946885010576964,1,"b"]`
	if string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestIntsAndFloatsAreDecodedApart(t *testing.T) {
	in := loadSource(t, "def kind(x):\n    return [isinstance(x, int), isinstance(x, float), repr(x)]\n")
	for value, want := range map[string]string{
		"1": `[true,false,"1"]`, "1.0": `[false,true,"1.0"]`, "1e2": `[false,true,"100.0"]`, "-0": `[true,false,"0"]`,
		"-0.0": `[false,true,"-0.0"]`, "99999999999999999999": `[true,false,"99999999999999999999"]`,
	} {
		got, fault := in.Call("kind", json.RawMessage("["+value+"]"))
		if fault != nil || string(got) != want {
			t.Errorf("%s: got %s, %v, want %s", value, got, fault, want)
		}
	}
}

func FuzzDecodeArgs(f *testing.F) {
	for _, seed := range []string{`[]`, `[1,1.0,"a",null,true]`, `[{"a":[1e5]}]`, `[{"$float":"nan"}]`, `[`, `[1]]`, `[1e999]`, `{}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in := &Interp{limits: Limits{Steps: 1 << 40, Bytes: 1 << 30}}
		items, err := in.decodeArgs(data)
		if err != nil {
			return
		}
		first, err := in.encode(&List{items: items})
		if err != nil {
			return
		}
		again, err := in.decodeArgs(first)
		if err != nil {
			t.Fatalf("%s was written and can't be read: %v", first, err)
		}
		if second, err := in.encode(&List{items: again}); err != nil || string(second) != string(first) {
			t.Fatalf("%s became %s, %v", first, second, err)
		}
	})
}

func FuzzFloatRepr(f *testing.F) {
	for _, seed := range []float64{0, 1, 0.1, 1e16, 1e-5, 5e-324, math.MaxFloat64} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, x float64) {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return
		}
		text := floatRepr(x)
		if back, err := strconv.ParseFloat(text, 64); err != nil || back != x || !strings.ContainsAny(text, ".e") {
			t.Fatalf("%v became %s", x, text)
		}
	})
}
