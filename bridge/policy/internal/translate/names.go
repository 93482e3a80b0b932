package translate

// The names a policy may use without binding them. The interpreter implements exactly these.
var (
	builtins = set("abs", "all", "any", "bool", "dict", "divmod", "enumerate", "filter", "float", "int",
		"isinstance", "len", "list", "map", "max", "min", "next", "pow", "range", "repr", "reversed", "round",
		"set", "sorted", "str", "sum", "tuple", "zip")

	exceptions = set("ArithmeticError", "AssertionError", "Exception", "IndexError", "KeyError",
		"LookupError", "NameError", "NotImplementedError", "OverflowError", "RuntimeError", "TypeError",
		"ValueError", "ZeroDivisionError")

	// methods of str, list, dict, tuple and set values.
	methods = set("add", "append", "clear", "copy", "count", "discard", "endswith", "extend", "find", "get",
		"index", "insert", "items", "join", "keys", "lower", "lstrip", "pop", "remove", "replace", "reverse",
		"rstrip", "setdefault", "sort", "split", "startswith", "strip", "update", "upper", "values")

	// modules and what each of them offers.
	modules = map[string]map[string]bool{
		"math": set("ceil", "copysign", "e", "exp", "fabs", "floor", "fsum", "gcd", "inf", "isclose", "isfinite",
			"isinf", "isnan", "log", "nan", "pi", "pow", "prod", "sqrt", "tau", "trunc"),
		"crossfold.policy": set("choice", "loguniform", "randint", "seed", "uniform"),
		"crossfold":        set("choice", "loguniform", "policy", "randint", "seed", "uniform"),
	}

	annotations = set("bool", "dict", "float", "int", "list", "object", "set", "str", "tuple")
)

// instead says what to write for names that people reach for and a policy does not have.
var instead = map[string]string{
	"print":          "return the value; a policy has no output",
	"open":           "pass what the policy needs as an argument; a policy has no files",
	"input":          "pass what the policy needs as an argument",
	"eval":           "write the expression itself",
	"exec":           "write the statements themselves",
	"compile":        "write the code itself",
	"__import__":     "use import math or from crossfold.policy import ...",
	"globals":        "pass values as arguments",
	"locals":         "use a dict of your own",
	"vars":           "use a dict of your own",
	"getattr":        "use a dict and d[key] or d.get(key)",
	"setattr":        "use a dict and d[key] = value",
	"hasattr":        "use a dict and key in d",
	"type":           "use isinstance(value, kind)",
	"object":         "use a dict",
	"super":          "use functions; a policy has no classes",
	"iter":           "use a for loop or next(generator, default)",
	"frozenset":      "use set",
	"bytes":          "use str",
	"bytearray":      "use list",
	"complex":        "use float",
	"format":         "use '%.3f' % value",
	"hash":           "use the value itself as a dict key",
	"id":             "compare values with ==",
	"StopIteration":  "use next(generator, default)",
	"AttributeError": "use a dict and except KeyError",
	"BaseException":  "use Exception",
	"random":         "use from crossfold.policy import uniform, loguniform, randint, choice",
	"np":             "use math and plain lists",
	"numpy":          "use math and plain lists",
}

func set(names ...string) map[string]bool {
	s := make(map[string]bool, len(names))
	for _, name := range names {
		s[name] = true
	}
	return s
}

// Names is what translated code may use without binding it; the interpreter implements exactly this.
type Names struct {
	Functions, Exceptions, Methods map[string]bool
	Members                        map[string]map[string]bool // of each module
}

// Known lists the names of the subset.
func Known() Names {
	return Names{Functions: builtins, Exceptions: exceptions, Methods: methods, Members: modules}
}
