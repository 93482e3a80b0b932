package interp

import (
	"github.com/go-python/gpython/py"
)

// bare is a gpython context whose only module holds the core's functions: gpython's own builtins,
// os, sys and glob are not linked into the binary at all.
type bare struct {
	store *py.ModuleStore
	done  chan struct{}
}

func newContext(core py.StringDict) *bare {
	c := &bare{store: py.NewModuleStore(), done: make(chan struct{})}
	// The error of NewModule is always nil.
	_, _ = c.store.NewModule(c, &py.ModuleImpl{Info: py.ModuleInfo{Name: "builtins"}, Globals: core})
	return c
}

func (c *bare) ResolveAndCompile(path string, _ py.CompileOpts) (py.CompileOut, error) {
	return py.CompileOut{}, raise(py.ImportError, "no file %q", path)
}

func (c *bare) ModuleInit(impl *py.ModuleImpl) (*py.Module, error) {
	return nil, raise(py.ImportError, "no module %q", impl.Info.Name)
}

func (c *bare) RunCode(code *py.Code, globals, locals py.StringDict, closure py.Tuple) (py.Object, error) {
	return py.VmEvalCode(c, code, globals, locals, nil, nil, nil, nil, closure)
}

func (c *bare) GetModule(name string) (*py.Module, error) { return c.store.GetModule(name) }
func (c *bare) Store() *py.ModuleStore                    { return c.store }
func (c *bare) Done() <-chan struct{}                     { return c.done }

func (c *bare) Close() error {
	close(c.done)
	return nil
}
