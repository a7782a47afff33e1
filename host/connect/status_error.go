package connect

import "fmt"

// StatusError is an answer of the REST API other than success: Kafka's ConnectRestException.
type StatusError struct {
	Status  int
	Message string
}

// Error is the message.
func (e *StatusError) Error() string { return e.Message }

func badRequest(format string, args ...any) error {
	return &StatusError{400, fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) error {
	return &StatusError{404, fmt.Sprintf(format, args...)}
}

func internal(format string, args ...any) error {
	return &StatusError{500, fmt.Sprintf(format, args...)}
}

// NotLeader says that another worker has to do it. URL is that of the leader or owner, "" when it is not known.
type NotLeader struct {
	URL     string
	Message string
}

// Error is Kafka's text.
func (e *NotLeader) Error() string { return e.Message }
