// Package rest is the REST API of Kafka Connect: paths, status codes, bodies and texts of Kafka
// 4.3.1, so that scripts, Terraform, kcctl and web UIs work unchanged. It knows HTTP and what a connect.Herder answers; it
// knows no Kafka and runs no connector.
//
// handler.go is the table of paths, router.go finds them, errors.go what errors look like, forward.go the way to other workers, serve.go the
// listeners, auth.go who may come in.
package rest
