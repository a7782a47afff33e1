package connect

import (
	"context"
	"fmt"
)

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
	// now is the worker that would be named if the question came again, "" if there is none at the moment; changed is closed when that
	// may have become another. Both are nil where URL is "".
	now     func() string
	changed func() <-chan struct{}
}

// Error is Kafka's text.
func (e *NotLeader) Error() string { return e.Message }

// Replaced returns true when another worker than URL has it to do, and false when ctx is done before.
func (e *NotLeader) Replaced(ctx context.Context) bool {
	for e.now != nil && ctx.Err() == nil {
		changed := e.changed()
		if url := e.now(); url != "" && url != e.URL {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	<-ctx.Done()
	return false
}
