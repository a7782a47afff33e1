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

// Draft tells of a record's key and value whether the map or struct at their top was made by the transformation before, for
// this record alone. Nothing else refers to it then, and the next transformation may change it in place. What is nested in it
// may be shared.
type Draft struct{ Key, Value bool }

// DraftTransformation is a Transformation that can go on with what another has made, so that several in a row copy a record
// once. The results are those of Apply.
type DraftTransformation interface {
	Transformation
	// ApplyDraft is Apply for a record of which d tells what may be changed. It sets d for the next transformation. After an
	// error what d spoke of may be half changed.
	ApplyDraft(r *Record, d *Draft) (keep bool, err error)
}

// Predicate decides whether a transformation is applied. It is used by one goroutine at a time.
type Predicate interface {
	ConfigDef() *config.Def
	Configure(props config.Props) error
	Test(r *Record) (bool, error)
	Close() error
}
