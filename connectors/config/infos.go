package config

// The objects of Kafka Connect's REST answers about settings; they are written by encoding/json as they stand.

// KeyInfo is Kafka's ConfigKeyInfo.
type KeyInfo struct {
	Name          string   `json:"name"`
	Type          string   `json:"type"`
	Required      bool     `json:"required"`
	DefaultValue  *string  `json:"default_value"`
	Importance    string   `json:"importance"`
	Documentation string   `json:"documentation"`
	Group         *string  `json:"group"`
	Width         string   `json:"width"`
	DisplayName   string   `json:"display_name"`
	Dependents    []string `json:"dependents"`
	Order         int      `json:"order"`
}

// ValueInfo is Kafka's ConfigValueInfo.
type ValueInfo struct {
	Name              string   `json:"name"`
	Value             *string  `json:"value"`
	RecommendedValues []string `json:"recommended_values"`
	Errors            []string `json:"errors"`
	Visible           bool     `json:"visible"`
}

// Info is Kafka's ConfigInfo. Key is nil for names that nobody defines.
type Info struct {
	Key   *KeyInfo  `json:"definition"`
	Value ValueInfo `json:"value"`
}

// Infos is Kafka's ConfigInfos.
type Infos struct {
	Name       string   `json:"name"`
	ErrorCount int      `json:"error_count"`
	Groups     []string `json:"groups"`
	Configs    []Info   `json:"configs"`
}

// Info describes a key.
func (k *Key) Info() *KeyInfo {
	info := &KeyInfo{
		Name: k.Name, Type: string(k.Type), Required: k.Required(), DefaultValue: Format(k.Default, k.Type),
		Importance: string(k.Importance), Documentation: k.Doc, Width: string(k.Width), DisplayName: k.Display,
		Dependents: append([]string{}, k.Dependents...), Order: k.Order,
	}
	if k.Group != "" {
		group := k.Group
		info.Group = &group
	}
	return info
}

// Info describes a value; typ is that of its key, STRING where there is none.
func (v *Value) Info(typ Type) ValueInfo {
	return ValueInfo{
		Name: v.Name, Value: Format(v.Value, typ), Visible: v.Visible,
		RecommendedValues: append([]string{}, v.Recommended...), Errors: append([]string{}, v.Errors...),
	}
}

// NewInfos joins keys and values as Kafka's AbstractHerder.generateResult: values whose names have no key come with a null
// definition. Errors are counted.
func NewInfos(name string, keys map[string]*Key, values []*Value, groups []string) Infos {
	infos := Infos{Name: name, Groups: append([]string{}, groups...), Configs: make([]Info, 0, len(values))}
	for _, v := range values {
		var info Info
		if k := keys[v.Name]; k != nil {
			info.Key = k.Info()
			info.Value = v.Info(k.Type)
		} else {
			info.Value = v.Info(String)
			info.Value.Errors = append(info.Value.Errors, "Configuration is not defined: "+v.Name)
		}
		infos.ErrorCount += len(info.Value.Errors)
		infos.Configs = append(infos.Configs, info)
	}
	return infos
}
