package registry

import (
	"github.com/twmb/avro"

	"github.com/wasmstream/wasmstream/connectors/fault"
)

// checkReadable refuses data whose own schema, written as text, the newest one of its subject cannot read.
func checkReadable(subject, text string, newest registered) error {
	reader, err := parseAvro(newest)
	if err != nil {
		return err
	}
	writer, err := avro.Parse(text)
	if err != nil {
		return fault.Data.Errorf("reading an Avro schema: %w", err)
	}
	if err := avro.CheckCompatibility(writer, reader); err != nil {
		return fault.Data.Errorf("The schema of the data does not fit the newest one of %s; set latest.compatibility.strict=false to write it all the same: %w", subject, err)
	}
	return nil
}
