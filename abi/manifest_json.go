package abi

import "encoding/json"

// MarshalJSON writes the manifest by the names that it is read by, every one of them, so that the form of what tools
// read does not depend on what a module says.
func (m Manifest) MarshalJSON() ([]byte, error) {
	components := make([]jsonComponent, len(m.Components))
	for i, c := range m.Components {
		components[i] = jsonComponent{
			Name: c.Name, Kind: c.Kind, Wants: c.Wants.Names(), Stores: orEmpty(c.Stores), Buffers: c.Buffers,
			Description: c.Description, Config: jsonSettings(c.Config),
		}
	}
	return json.Marshal(struct {
		ABI         int             `json:"abi"`
		Name        string          `json:"name"`
		Version     string          `json:"version"`
		Language    string          `json:"language"`
		SDK         string          `json:"sdk"`
		Description string          `json:"description"`
		Components  []jsonComponent `json:"components"`
		Topology    json.RawMessage `json:"topology,omitempty"`
	}{m.ABI, m.Name, m.Version, m.Language, m.SDK, m.Description, components, m.Topology})
}

type jsonComponent struct {
	Name        string        `json:"name"`
	Kind        Kind          `json:"kind"`
	Wants       []string      `json:"wants"`
	Stores      []string      `json:"stores"`
	Buffers     bool          `json:"buffers"`
	Description string        `json:"description"`
	Config      []jsonSetting `json:"config"`
}

type jsonSetting struct {
	Name       string   `json:"name"`
	Type       string   `json:"type"`
	Default    *string  `json:"default,omitempty"` // absent without one
	Optional   bool     `json:"optional"`
	Importance string   `json:"importance"`
	Doc        string   `json:"doc"`
	Values     []string `json:"values"`
}

func jsonSettings(all []Setting) []jsonSetting {
	out := make([]jsonSetting, len(all))
	for i, s := range all {
		out[i] = jsonSetting{Name: s.Name, Type: s.Type, Optional: s.Optional, Importance: s.Importance, Doc: s.Doc, Values: orEmpty(s.Values)}
		if s.HasDefault {
			out[i].Default = &s.Default
		}
	}
	return out
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
