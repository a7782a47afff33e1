//go:build !integration

package streamtest_test

// wordCountGuests are those that need no toolchain.
var wordCountGuests = []string{"wordcount-c"}

// rowsGuests are those that need no toolchain.
var rowsGuests = []string{"rows-c"}
