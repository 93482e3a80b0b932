// Package policy runs policies: small rules in Python syntax (PARAM_GRID, space, prune, select, weights)
// that the coordinator applies without Python.
//
// A policy is evaluated by gpython in a child process of the same binary, with a deadline, a memory limit
// and a step limit, an empty environment and no descriptors but its standard streams. Only a subset of
// Python is accepted, the one whose answers are CPython's (docs/policies.md); anything else is refused
// with file, line and what to write instead. The coordinator's own process never evaluates a policy.
package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/crossfold/crossfold/bridge/policy/internal/interp"
	"github.com/crossfold/crossfold/bridge/policy/internal/translate"
)

// Problem is one place where a policy leaves the subset.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Message string `json:"message"`
	Instead string `json:"instead"` // what to write instead
}

func (p Problem) String() string {
	return fmt.Sprintf("%s:%d: %s; write instead: %s", p.File, p.Line, p.Message, p.Instead)
}

// Check reads a policy without running it and lists its problems by line; none means accepted.
func Check(name, source string) []Problem {
	_, found := translate.Translate(source)
	return problems(name, found)
}

func problems(name string, found []translate.Problem) []Problem {
	list := make([]Problem, len(found))
	for i, p := range found {
		list[i] = Problem{File: name, Line: p.Line, Message: p.Message, Instead: p.Instead}
	}
	return list
}

// The kinds of *Error, for errors.Is.
var (
	ErrRefused   = errors.New("policy refused")
	ErrException = errors.New("policy raised an exception")
	ErrLimit     = errors.New("policy reached a limit")
)

// Error says how a policy failed, and where.
type Error struct {
	Kind    error  // ErrRefused, ErrException or ErrLimit
	File    string // the policy's name
	Line    int    // 0 when it isn't known
	Class   string // of the exception, else ""
	Message string
	Instead string // for ErrRefused: what to write instead
}

func (e *Error) Error() string {
	var text strings.Builder
	text.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&text, ":%d", e.Line)
	}
	text.WriteString(": ")
	if e.Class != "" {
		text.WriteString(e.Class + ": ")
	}
	text.WriteString(e.Message)
	if e.Instead != "" {
		text.WriteString("; write instead: " + e.Instead)
	}
	return text.String()
}

func (e *Error) Unwrap() error { return e.Kind }

// ChildCommand is the hidden command of the binary that must call Child.
const ChildCommand = "policy-child"

// Config says what to run and within which limits.
type Config struct {
	// Source is the policy's text.
	Source string
	// Name stands in messages, mostly the file's name. Default: "policy".
	Name string
	// Command starts the child; its main must call Child. Default: this binary with ChildCommand.
	Command []string
	// Deadline bounds loading the policy and each call. Default: 2 s.
	Deadline time.Duration
	// MemoryBytes bounds the data of the child, about 120 MiB of which it takes for itself. Default: 256 MiB.
	MemoryBytes int64
	// Steps bounds one call: turns of loops, calls, operations and elements handled. Default: 2 million.
	Steps int64
}

func (c Config) withDefaults() (Config, error) {
	if c.Name == "" {
		c.Name = "policy"
	}
	if len(c.Command) == 0 {
		binary, err := os.Executable()
		if err != nil {
			return c, fmt.Errorf("policy %s: find the binary for its child, set Config.Command: %w", c.Name, err)
		}
		c.Command = []string{binary, ChildCommand}
	}
	if c.Deadline <= 0 {
		c.Deadline = 2 * time.Second
	}
	if c.MemoryBytes <= 0 {
		c.MemoryBytes = 256 << 20
	}
	if c.Steps <= 0 {
		c.Steps = 2_000_000
	}
	return c, nil
}

// Policy is a loaded policy. Its calls run one at a time; it may be used by several goroutines.
type Policy struct {
	config Config

	mu     sync.Mutex
	child  *child // nil after it died; the next call starts another
	closed bool

	names []string // what the policy binds, sorted; set by Open
}

// Open checks and loads a policy. An error is an *Error when the policy is at fault.
func Open(ctx context.Context, config Config) (*Policy, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Policy{config: config}
	if p.names, err = p.start(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// Has reports whether the policy binds name, such as "space".
func (p *Policy) Has(name string) bool {
	_, found := slices.BinarySearch(p.names, name)
	return found
}

// Call calls a function with a JSON list of arguments and gives its result as JSON. A generator is read to
// its end, into a list; a name bound to a value, like PARAM_GRID, takes no arguments and gives that value.
//
// Ints and floats stay apart in both directions: 1 is an int of any size, 1.0 and 1e3 are floats. NaN and
// the infinities are {"$float": "nan"}, "inf" and "-inf". A tuple comes back as a list. Each call sees
// the policy as it was loaded: calls can't change what the module made.
func (p *Policy) Call(ctx context.Context, function string, args json.RawMessage) (json.RawMessage, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("policy %s: call %s: the policy is closed", p.config.Name, function)
	}
	if len(args) > 0 && !json.Valid(args) {
		return nil, &Error{Kind: ErrRefused, File: p.config.Name,
			Message: "the arguments of " + function + " are not JSON", Instead: "a JSON list"}
	}
	if p.child == nil {
		if _, err := p.start(ctx); err != nil {
			return nil, err
		}
	}
	reply, err := p.ask(ctx, request{Call: function, Args: args})
	if err != nil {
		return nil, err
	}
	return reply.Value, nil
}

// Close ends the child. It is idempotent.
func (p *Policy) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.drop()
	return nil
}

func (p *Policy) drop() {
	if p.child != nil {
		p.child.kill()
		p.child = nil
	}
}

// start runs a child, loads the policy in it and gives the names that the policy binds.
func (p *Policy) start(ctx context.Context) ([]string, error) {
	c, err := spawn(p.config.Command)
	if err != nil {
		return nil, fmt.Errorf("policy %s: start its child: %w", p.config.Name, err)
	}
	p.child = c
	reply, err := p.ask(ctx, request{Load: &load{
		Source: p.config.Source, Steps: p.config.Steps, MemoryBytes: p.config.MemoryBytes,
	}})
	if err != nil {
		p.drop()
		return nil, err
	}
	return reply.Names, nil
}

// ask sends one request and waits for its reply, at most until the deadline. A child that gives none is dropped.
func (p *Policy) ask(ctx context.Context, r request) (response, error) {
	limited, cancel := context.WithTimeout(ctx, p.config.Deadline)
	defer cancel()
	child := p.child
	stop := context.AfterFunc(limited, child.stop)
	reply, err := child.exchange(r)
	if !stop() && err == nil {
		err = limited.Err() // it answered while it was being stopped
	}
	if err != nil {
		p.drop()
		return response{}, p.died(ctx, limited, child, err)
	}
	if reply.Fault != nil {
		return response{}, p.failed(reply.Fault)
	}
	return reply, nil
}

// died says why a child gave no reply.
func (p *Policy) died(ctx, limited context.Context, c *child, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("policy %s: %w", p.config.Name, ctx.Err())
	case limited.Err() != nil:
		return &Error{Kind: ErrLimit, File: p.config.Name, Message: fmt.Sprintf("no answer within %v", p.config.Deadline)}
	case errors.Is(err, errTooLarge):
		return &Error{Kind: ErrLimit, File: p.config.Name, Message: err.Error()}
	}
	return &Error{Kind: ErrLimit, File: p.config.Name, Message: fmt.Sprintf(
		"its process ended, by the limit of %d bytes or of its stack: %s", p.config.MemoryBytes, c.lastWords())}
}

func (p *Policy) failed(f *interp.Fault) error {
	kind := map[interp.Kind]error{
		interp.Refused: ErrRefused, interp.Exception: ErrException, interp.Limit: ErrLimit,
	}[f.Kind]
	return &Error{Kind: kind, File: p.config.Name, Line: f.Line, Class: f.Class, Message: f.Message, Instead: f.Instead}
}
