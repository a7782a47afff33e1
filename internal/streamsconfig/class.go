package streamsconfig

import (
	"errors"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// simpleClass is a class name without its package; a nested class keeps its outer one, as in Outer$Inner.
func simpleClass(name string) string {
	return name[strings.LastIndexByte(name, '.')+1:]
}

// canonicalClass turns what a user wrote for a class into Kafka's name without the package: the full name, the short
// one, or log-and-fail and log-and-continue for handlers.
func canonicalClass(key, value string) string {
	processing, production := strings.HasPrefix(key, "processing."), strings.Contains(key, "production.")
	switch strings.ToLower(value) {
	case "log-and-fail":
		if processing {
			return ProcessingLogAndFail
		}
		if production {
			return ProductionDefault
		}
		return LogAndFail
	case "log-and-continue":
		if processing {
			return ProcessingLogAndContinue
		}
		if production {
			return ProductionLogAndContinue
		}
		return LogAndContinue
	}
	short := simpleClass(value)
	for _, nested := range []string{RocksDBSuppliers, InMemorySuppliers} {
		if _, inner, _ := strings.Cut(nested, "$"); short == inner {
			return nested
		}
	}
	return short
}

// withShortNames adds the short names of handlers to an error about one.
func withShortNames(key string, err error) error {
	var coded *errs.Error
	if !strings.HasSuffix(key, "exception.handler") || !errors.As(err, &coded) {
		return err
	}
	told := *coded
	told.Fix = "write log-and-fail or log-and-continue, or the name of Kafka's class"
	return &told
}
