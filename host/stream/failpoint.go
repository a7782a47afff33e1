//go:build !failpoints

package stream

// failpoint names a moment at which a process may die; with the build tag "failpoints" it does, where a test says so.
func failpoint(string) {}
