package connectors

import (
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
)

// Converter turns Connect's data into bytes and back. It is used by one goroutine at a time and may keep caches.
type Converter interface {
	// ConfigDef defines its settings, which are given without their prefix (key.converter., value.converter.).
	ConfigDef() *config.Def
	// Configure is called once, before anything else. isKey says for which side of the record it is.
	Configure(props config.Props, isKey bool) error
	// FromConnectData appends the bytes of a value to dst; null says that the bytes are null and dst is as it was.
	// Converters that write headers return them by h; h is nil when the bytes are not those of a record.
	FromConnectData(dst []byte, topic string, h *Headers, v data.SchemaAndValue) (out []byte, null bool, err error)
	// ToConnectData reads bytes; nil is null. The result may refer to them: they are not to be changed afterwards.
	ToConnectData(topic string, h Headers, b []byte) (data.SchemaAndValue, error)
	// Close frees what it holds. It can be called twice.
	Close() error
}

// HeaderConverter is Converter for one header.
type HeaderConverter interface {
	ConfigDef() *config.Def
	Configure(props config.Props) error
	FromConnectHeader(dst []byte, topic, key string, v data.SchemaAndValue) (out []byte, null bool, err error)
	ToConnectHeader(topic, key string, b []byte) (data.SchemaAndValue, error)
	Close() error
}
