//go:build !linux

package main

// dropStartPages does nothing: other systems have no call that drops pages of a file and lets them come back.
func dropStartPages() {}
