//go:build integration

package streamtest_test

// wordCountGuests are WordCount in every language: with the two forms, six programs that give the same counts.
var wordCountGuests = []string{"wordcount-c", "wordcount-go", "wordcount-rust"}

// rowsGuests are the guest for stores of windows, sessions and versions in every language.
var rowsGuests = []string{"rows-c", "rows-go", "rows-rust"}
