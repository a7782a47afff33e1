//go:build integration

package streamtest_test

// wordCountGuests are WordCount in every language: with the two forms, six programs that give the same counts.
var wordCountGuests = []string{"wordcount-c", "wordcount-go", "wordcount-rust"}
