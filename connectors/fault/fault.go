// Package fault holds the errors of the Connect API: a class with Kafka's name, a message, a cause.
//
// The class decides what the framework does (retry, tolerate, fail), and its full Java name stands in the headers of
// dead letters, where other people's tools look for it. The package knows nothing of records or connectors.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Class is the full Java name of an exception.
type Class string

// The classes that Connect's contracts name.
const (
	Kafka           Class = "org.apache.kafka.common.KafkaException"
	Config          Class = "org.apache.kafka.common.config.ConfigException"
	Serialization   Class = "org.apache.kafka.common.errors.SerializationException"
	Connect         Class = "org.apache.kafka.connect.errors.ConnectException"
	Data            Class = "org.apache.kafka.connect.errors.DataException"
	Retriable       Class = "org.apache.kafka.connect.errors.RetriableException"
	NotFound        Class = "org.apache.kafka.connect.errors.NotFoundException"
	AlreadyExists   Class = "org.apache.kafka.connect.errors.AlreadyExistsException"
	IllegalWorker   Class = "org.apache.kafka.connect.errors.IllegalWorkerStateException"
	SchemaBuilder   Class = "org.apache.kafka.connect.errors.SchemaBuilderException"
	SchemaProjector Class = "org.apache.kafka.connect.errors.SchemaProjectorException"
	IllegalArgument Class = "java.lang.IllegalArgumentException"
	NumberFormat    Class = "java.lang.NumberFormatException"
	IllegalState    Class = "java.lang.IllegalStateException"
	IndexOutOfRange Class = "java.lang.IndexOutOfBoundsException"
	Unsupported     Class = "java.lang.UnsupportedOperationException"
	NullPointer     Class = "java.lang.NullPointerException"
	Exception       Class = "java.lang.Exception"
)

// parent is the class that c extends, "" at the top.
func (c Class) parent() Class {
	switch c {
	case Config, Serialization, Connect:
		return Kafka
	case Data, Retriable, NotFound, AlreadyExists, IllegalWorker:
		return Connect
	case SchemaBuilder, SchemaProjector:
		return Data
	case NumberFormat:
		return IllegalArgument
	case Kafka, IllegalArgument, IllegalState, IndexOutOfRange, Unsupported, NullPointer:
		return Exception
	}
	return ""
}

// SimpleName is the part after the last dot.
func (c Class) SimpleName() string { return string(c[strings.LastIndexByte(string(c), '.')+1:]) }

// New makes an error of this class.
func (c Class) New(message string) *Error { return &Error{Class: c, Message: message} }

// Errorf makes an error of this class. With %w its cause is the wrapped error.
func (c Class) Errorf(format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Class: c, Message: err.Error(), Cause: errors.Unwrap(err)}
}

// Is tells whether err, or an error in its chain, has this class or one that extends it.
func (c Class) Is(err error) bool {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return false
		}
		for k := e.Class; k != ""; k = k.parent() {
			if k == c {
				return true
			}
		}
		err = e.Cause
	}
	return false
}

// Error is an exception of the Connect API.
type Error struct {
	Class   Class
	Message string
	Cause   error
}

// Error is the message alone, as Java's getMessage.
func (e *Error) Error() string { return e.Message }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Because sets the cause and returns e.
func (e *Error) Because(cause error) *Error {
	e.Cause = cause
	return e
}

// ClassOf is the class of the outermost classified error in err's chain; an error without one is a ConnectException.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return Connect
}

// Trace is the text that stands where Java prints a stack trace: class and message, then each cause.
func Trace(err error) string {
	var b strings.Builder
	for first := true; err != nil; first = false {
		if !first {
			b.WriteString("\nCaused by: ")
		}
		b.WriteString(string(ClassOf(err)))
		b.WriteString(": ")
		b.WriteString(err.Error())
		var e *Error
		if !errors.As(err, &e) {
			break
		}
		err = e.Cause
	}
	return b.String()
}
