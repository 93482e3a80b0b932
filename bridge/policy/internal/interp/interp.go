// Package interp runs a translated policy: gpython executes the core's control flow, and the Go
// functions here do every operation on values as CPython 3.11 does.
//
// An Interp belongs to one goroutine. Steps, depth and the size of values are bounded; what a bound
// stops, and what this package can't answer as CPython would, ends the call and can't be caught by the
// policy (Fault). Containers made while the module loads are read-only afterwards, so that no call can
// change what the next one sees.
package interp

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-python/gpython/compile"
	"github.com/go-python/gpython/py"
	_ "github.com/go-python/gpython/vm" // evaluates what compile makes

	"github.com/crossfold/crossfold/bridge/policy/internal/translate"
)

const (
	maxDepth = 150
	// A code object's jumps are two bytes wide; gpython miscounts when it needs more.
	maxCode = 60000
)

// Kind says how a call ended without a value.
type Kind string

const (
	Refused   Kind = "refused"   // outside the subset
	Exception Kind = "exception" // a Python exception that the policy didn't catch
	Limit     Kind = "limit"     // steps, depth or memory
)

// Fault is the error of Load and Call.
type Fault struct {
	Kind    Kind   `json:"kind"`
	Line    int    `json:"line,omitempty"`
	Class   string `json:"class,omitempty"` // of the exception
	Message string `json:"message"`
	Instead string `json:"instead,omitempty"`
}

func (f *Fault) Error() string {
	text := f.Message
	if f.Class != "" {
		text = f.Class + ": " + text
	}
	if f.Instead != "" {
		text += "; write instead: " + f.Instead
	}
	return text
}

// Limits bound one call.
type Limits struct {
	Steps int64 // loop turns, calls and elements handled
	Bytes int64 // of one value
}

// Interp is one loaded policy.
type Interp struct {
	limits  Limits
	program *translate.Program
	context *bare
	globals py.StringDict

	steps   int64
	depth   int
	fault   *Fault // set once; every operation fails from then on
	pending error  // raised by an iterator, not yet seen by the loop around it
	random  random
	loading bool
	modules map[string]*Module
}

// Load translates and runs the module body.
func Load(program *translate.Program, limits Limits) (*Interp, *Fault) {
	in := &Interp{limits: limits, program: program, globals: py.NewStringDict(), loading: true}
	code, err := compile.Compile(program.Source, "policy", py.ExecMode, 0, true)
	if err != nil {
		return nil, &Fault{Kind: Refused, Message: fmt.Sprintf("gpython can't compile the policy: %v", err),
			Instead: "several shorter functions"}
	}
	if err := checkSize(code); err != nil {
		return nil, &Fault{Kind: Refused, Message: err.Error(), Instead: "several shorter functions"}
	}
	in.context = newContext(in.core())
	_, err = in.guard(func() (py.Object, error) {
		return in.context.RunCode(code, in.globals, in.globals, nil)
	})
	if fault := in.faultOf(err); fault != nil {
		return nil, fault
	}
	in.loading = false
	in.freeze()
	return in, nil
}

func checkSize(code *py.Code) error {
	if len(code.Code) > maxCode {
		return fmt.Errorf("the function %q is too long", code.Name)
	}
	for _, constant := range code.Consts {
		if inner, ok := constant.(*py.Code); ok {
			if err := checkSize(inner); err != nil {
				return err
			}
		}
	}
	return nil
}

// Call calls a function of the policy with a JSON list of arguments and encodes what it returns.
// A generator is read to its end, into a list. A name bound to another value takes no arguments
// and gives that value.
func (in *Interp) Call(name string, args json.RawMessage) (json.RawMessage, *Fault) {
	result, fault := in.run(name, args)
	if fault != nil {
		return nil, fault
	}
	data, err := in.encode(result)
	if fault := in.faultOf(err); fault != nil {
		return nil, fault
	}
	return data, nil
}

func (in *Interp) run(name string, args json.RawMessage) (py.Object, *Fault) {
	in.steps, in.depth, in.fault, in.pending, in.random = 0, 0, nil, nil, random{}
	target, ok := in.globals["u_"+name]
	if !ok {
		return nil, &Fault{Kind: Refused, Message: fmt.Sprintf("the policy has no %q", name),
			Instead: "one of " + strings.Join(in.program.Names, ", ")}
	}
	list, err := in.decodeArgs(args)
	if err != nil {
		return nil, &Fault{Kind: Refused, Message: fmt.Sprintf("the arguments of %s: %v", name, err),
			Instead: "a JSON list"}
	}
	result, err := in.guard(func() (py.Object, error) {
		if _, isFunction := target.(*Function); !isFunction && len(list) == 0 {
			return target, nil
		}
		value, err := in.call(target, list, nil)
		if it, isIter := value.(*Iter); isIter && err == nil {
			return in.listFrom(it)
		}
		return value, err
	})
	return result, in.faultOf(err)
}

// guard turns a panic of gpython into an error; its state is dropped with the frame.
func (in *Interp) guard(f func() (py.Object, error)) (result py.Object, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = in.refuse("a plainer form", "gpython failed: %v", r)
		}
	}()
	return f()
}

// faultOf says how the run ended; nil means it ended well.
func (in *Interp) faultOf(err error) *Fault {
	line := 0
	var info py.ExceptionInfo
	if errors.As(err, &info) {
		for tb := info.Traceback; tb != nil; tb = tb.Next {
			// Lasti is past the instruction that failed, which may be the last one of its line.
			line = in.program.Line(int(tb.Frame.Code.Addr2Line(tb.Lasti - 1)))
		}
	}
	if in.fault != nil {
		if in.fault.Line == 0 {
			in.fault.Line = line
		}
		return in.fault
	}
	if err == nil {
		return nil
	}
	fault := &Fault{Kind: Exception, Line: line, Class: "SystemError", Message: err.Error()}
	var exc *py.Exception
	if value, ok := info.Value.(*py.Exception); ok {
		exc = value
	} else if !errors.As(err, &exc) {
		return fault
	}
	fault.Class, fault.Message = exc.Base.Name, ""
	if args, ok := exc.Args.(py.Tuple); ok && len(args) > 0 {
		if text, ok := args[0].(py.String); ok {
			fault.Message = string(text)
		}
	}
	return fault
}

// raise makes a Python exception that the policy may catch.
func raise(class *py.Type, format string, args ...any) error {
	return py.ExceptionNewf(class, format, args...)
}

// refuse ends the run: the answer would not be CPython's, or not surely.
func (in *Interp) refuse(insteadOf, format string, args ...any) error {
	return in.stop(&Fault{Kind: Refused, Message: fmt.Sprintf(format, args...), Instead: insteadOf})
}

func (in *Interp) limit(format string, args ...any) error {
	return in.stop(&Fault{Kind: Limit, Message: fmt.Sprintf(format, args...)})
}

func (in *Interp) stop(fault *Fault) error {
	if in.fault == nil {
		in.fault = fault
	}
	return in.stopped()
}

func (in *Interp) stopped() error {
	return py.ExceptionNewf(py.SystemError, "%s", in.fault.Message)
}

// tick counts n steps.
func (in *Interp) tick(n int) error {
	if in.fault != nil {
		return in.stopped()
	}
	if in.steps += int64(n); in.steps > in.limits.Steps {
		return in.limit("more than %d steps", in.limits.Steps)
	}
	return nil
}

// fits fails when a value of n elements of size bytes would be too large.
func (in *Interp) fits(n, size int) error {
	if n > 0 && int64(n) > in.limits.Bytes/int64(size) {
		return in.limit("a value of more than %d bytes", in.limits.Bytes)
	}
	return nil
}

// room checks that a new value fits and counts what making it costs.
func (in *Interp) room(n, size int) error {
	if err := in.fits(n, size); err != nil {
		return err
	}
	return in.tick(n * size / 64)
}

func (in *Interp) enter() error {
	if in.depth++; in.depth > maxDepth {
		return in.limit("calls or values nested more than %d deep", maxDepth)
	}
	return nil
}

func (in *Interp) leave() { in.depth-- }
