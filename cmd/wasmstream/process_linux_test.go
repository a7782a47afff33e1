package main_test

import (
	"os/exec"
	"syscall"
)

// killWithParent has the system kill a command's process when the test binary dies without having done so.
func killWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
