//go:build unix && !linux

package coordinator

import "syscall"

// childAttributes: without a signal from the kernel, the end of standard input ends the process.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
