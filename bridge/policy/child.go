package policy

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/crossfold/crossfold/bridge/policy/internal/interp"
	"github.com/crossfold/crossfold/bridge/policy/internal/translate"
)

const (
	maxStack = 64 << 20
	// The largest single value, as a part of the memory limit: copies of it must fit beside it.
	valueShare = 16
)

// Child is the whole life of a policy's process: it serves requests on standard input until that ends.
// It must be the first thing a hidden command of the binary does, before other goroutines or files.
func Child() int {
	closeInherited()
	debug.SetMaxStack(maxStack)
	// The runtime opens its poller with the first timer; once no descriptor may be opened it would fail.
	time.AfterFunc(0, func() {})
	requests := make(chan request)
	// Reading beside the evaluation lets the process end with its parent even in an endless loop.
	go func() {
		for {
			var r request
			if err := readFrame(os.Stdin, &r); err != nil {
				os.Exit(0)
			}
			requests <- r
		}
	}()
	if err := serve(requests, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func serve(requests <-chan request, out io.Writer) error {
	var in *interp.Interp
	for r := range requests {
		var reply response
		switch {
		case r.Load != nil:
			if err := restrict(r.Load.MemoryBytes); err != nil {
				return fmt.Errorf("set the limits of the policy's process: %w", err)
			}
			in, reply = begin(*r.Load)
		case in == nil:
			reply.Fault = &interp.Fault{Kind: interp.Refused, Message: "no policy is loaded"}
		default:
			reply.Value, reply.Fault = in.Call(r.Call, r.Args)
		}
		if err := writeFrame(out, reply); err != nil {
			return fmt.Errorf("answer the coordinator: %w", err)
		}
	}
	return nil
}

func begin(l load) (*interp.Interp, response) {
	program, found := translate.Translate(l.Source)
	if len(found) > 0 {
		return nil, response{Fault: &interp.Fault{
			Kind: interp.Refused, Line: found[0].Line, Message: found[0].Message, Instead: found[0].Instead,
		}}
	}
	limits := interp.Limits{Steps: l.Steps, Bytes: l.MemoryBytes / valueShare}
	in, fault := interp.Load(program, limits)
	if fault != nil {
		return nil, response{Fault: fault}
	}
	return in, response{Names: program.Names}
}
