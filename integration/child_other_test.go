//go:build !linux

package integration

import "os/exec"

// bind is for systems that can make a process end with its parent. On others integration/process ends with its stdin, and a
// NATS server is left behind by a test that is killed.
func bind(*exec.Cmd) {}
