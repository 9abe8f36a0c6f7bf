package integration

import (
	"os/exec"
	"syscall"
)

// bind makes the process end with the test's own, however that ends.
func bind(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
