package policy

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
)

// isolate puts the child in a process group of its own, away from the terminal's signals.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// restrict bounds what this process may take: data, core dumps and file sizes, and no new descriptor.
// Evaluating a policy opens nothing, so a way out of the interpreter would find no file either.
func restrict(bytes int64) error {
	debug.SetMemoryLimit(bytes * 3 / 4)
	limits := map[int]uint64{
		syscall.RLIMIT_DATA: uint64(bytes), syscall.RLIMIT_CORE: 0, syscall.RLIMIT_FSIZE: 0, syscall.RLIMIT_NOFILE: 0,
	}
	for resource, value := range limits {
		if err := syscall.Setrlimit(resource, &syscall.Rlimit{Cur: value, Max: value}); err != nil {
			return err
		}
	}
	return nil
}

// closeInherited closes descriptors that the parent itself had inherited open, but for the runtime's own.
func closeInherited() {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return // no /proc: Go's own descriptors never reach a child
	}
	for _, name := range names {
		fd, err := strconv.Atoi(name.Name())
		if err != nil || fd <= 2 {
			continue
		}
		target, err := os.Readlink(filepath.Join("/proc/self/fd", name.Name()))
		if err == nil && !strings.HasPrefix(target, "anon_inode:") {
			_ = syscall.Close(fd)
		}
	}
}
