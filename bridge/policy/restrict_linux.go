package policy

import (
	"fmt"
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
// The bytes are the policy's own: what the runtime has mapped by now, a lot under the race detector,
// comes on top.
func restrict(bytes int64) error {
	mapped, err := dataBytes()
	if err != nil {
		return err
	}
	debug.SetMemoryLimit(bytes * 3 / 4)
	limits := map[int]uint64{
		syscall.RLIMIT_DATA: uint64(mapped + bytes), syscall.RLIMIT_CORE: 0, syscall.RLIMIT_FSIZE: 0, syscall.RLIMIT_NOFILE: 0,
	}
	for resource, value := range limits {
		if err := syscall.Setrlimit(resource, &syscall.Rlimit{Cur: value, Max: value}); err != nil {
			return err
		}
	}
	return nil
}

// dataBytes is the size of what RLIMIT_DATA counts.
func dataBytes() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("policy: reading the size of this process: %w", err)
	}
	_, after, _ := strings.Cut(string(status), "VmData:")
	var kilobytes int64
	if _, err := fmt.Sscan(after, &kilobytes); err != nil {
		return 0, fmt.Errorf("policy: reading VmData in /proc/self/status: %w", err)
	}
	return kilobytes << 10, nil
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
