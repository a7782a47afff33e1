package transforms

import (
	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// SetSchemaMetadata sets the name and version of the key's or value's schema.
type SetSchemaMetadata struct {
	closer
	side       side
	name       string
	hasName    bool
	version    int32
	hasVersion bool
	defaults   bool
	cache      schemaCache[*data.Schema]
}

// ConfigDef defines schema.name and schema.version.
func (*SetSchemaMetadata) ConfigDef() *config.Def {
	return config.NewDef(
		config.Key{Name: "schema.name", Type: config.String, Nullable: true, Importance: config.High, Doc: "The schema's new name."},
		config.Key{Name: "schema.version", Type: config.Int, Nullable: true, Importance: config.High, Doc: "The schema's new version."},
		replaceNullKey(),
	)
}

// Configure reads the settings.
func (m *SetSchemaMetadata) Configure(props config.Props) error {
	v, err := m.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	m.name, m.hasName = v.String("schema.name"), !v.Null("schema.name")
	m.version, m.hasVersion = int32(v.Int("schema.version")), !v.Null("schema.version")
	m.defaults = v.Bool(replaceNull)
	if !m.hasName && !m.hasVersion {
		return config.Exception("Neither schema name nor version configured")
	}
	return nil
}

// Apply sets them; where there is neither schema nor value nothing happens.
func (m *SetSchemaMetadata) Apply(r *connectors.Record) (bool, error) {
	sv := m.side.of(r)
	if sv.Schema == nil {
		if sv.Value.IsNull() {
			return true, nil
		}
		return true, fault.Data.New("Schema required for [updating schema metadata]")
	}
	from := sv.Schema
	to, err := m.cache.get(from, func() (*data.Schema, error) {
		b := data.CopyAll(from)
		if m.hasName {
			b.Name(m.name)
		}
		if m.hasVersion {
			b.Version(m.version)
		}
		return b.Rebuild(), nil
	})
	if err != nil {
		return true, err
	}
	sv.Schema = to
	if s := sv.Value.Struct(); s != nil {
		values := make([]data.Value, len(to.Fields()))
		for i := range values {
			values[i] = field(s, i, m.defaults)
		}
		sv.Value = data.StructValue(data.StructOf(to, values))
	}
	return true, nil
}
