package connectors

import "github.com/wasmstream/wasmstream/connectors/config"

// Transformation changes records one at a time: Kafka's single message transform. It is used by one goroutine at a time
// and may keep caches.
type Transformation interface {
	// ConfigDef defines its settings, which are given without their prefix (transforms.<alias>.).
	ConfigDef() *config.Def
	// Configure is called once, before Apply. Settings that do not fit are a ConfigException.
	Configure(props config.Props) error
	// Apply changes r in place: the Record's fields, never what they refer to. False drops the record. After an error r may be
	// half changed: who wants to report the record keeps a copy of the Record.
	Apply(r *Record) (keep bool, err error)
	// Close frees what it holds. It can be called twice.
	Close() error
}

// Outcome is what became of one record of a batch.
type Outcome struct {
	Drop bool
	Err  error
}

// BatchTransformation is a Transformation that is quicker with many records at once, as those in guests are. The results are
// those of Apply on each in turn.
type BatchTransformation interface {
	Transformation
	// ApplyBatch changes the records in place and sets out, which is as long as rs. Entries with Drop or Err set are left alone.
	ApplyBatch(rs []*Record, out []Outcome) error
}

// Predicate decides whether a transformation is applied. It is used by one goroutine at a time.
type Predicate interface {
	ConfigDef() *config.Def
	Configure(props config.Props) error
	Test(r *Record) (bool, error)
	Close() error
}
