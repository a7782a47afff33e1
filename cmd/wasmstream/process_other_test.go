//go:build !linux

package main_test

import "os/exec"

// killWithParent does nothing where the system has no such thing.
func killWithParent(*exec.Cmd) {}
