package coordinator

import "syscall"

// childAttributes make the kernel end the process when this one dies.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
}
