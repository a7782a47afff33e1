// Package connectrest sends one script of calls to the REST API of a Connect worker and compares what two workers answered:
// Apache Kafka's and ours.
//
// Status, headers that a client goes by, and bodies are compared, after ids, times, versions and places have been replaced by
// names. The text of errors that begin in a parser, of documentation and of stack traces is not: those calls say so in the script.
package connectrest
