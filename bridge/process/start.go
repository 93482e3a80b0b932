package process

import (
	"os/exec"
	"runtime"
)

// environment gives every numeric library one thread: slots are the parallelism, and the number of
// threads can change the low bits of a result. So does the zygote itself have one thread only.
var environment = []string{
	"OMP_NUM_THREADS=1",
	"OPENBLAS_NUM_THREADS=1",
	"MKL_NUM_THREADS=1",
	"BLIS_NUM_THREADS=1",
	"NUMEXPR_NUM_THREADS=1",
	"VECLIB_MAXIMUM_THREADS=1",
	"NUMBA_NUM_THREADS=1",
	"TF_NUM_INTRAOP_THREADS=1",
	"TF_NUM_INTEROP_THREADS=1",
	"TF_CPP_MIN_LOG_LEVEL=2",
	// What joblib counts as CPUs: LightGBM starts as many threads, whatever OpenMP was told.
	"LOKY_MAX_CPU_COUNT=1",
	// Arrow's allocator would start a thread: a process with threads should not fork.
	"JE_ARROW_MALLOC_CONF=background_thread:false",
}

// start runs cmd and waits for its end on one thread that lives as long: the parent-death signal
// fires when the thread that started a process ends, not only when the whole parent does.
func (p *zygoteProcess) start(cmd *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		p.pid = cmd.Process.Pid
		started <- nil
		_ = cmd.Wait() // the state says more than the error
		p.status = cmd.ProcessState.String()
		close(p.exited)
	}()
	return <-started
}
