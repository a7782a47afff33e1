package config

import "slices"

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
	Order         int      `json:"order_in_group"`
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
		Name: k.Name, Type: string(k.Type), Required: k.Required() || k.Given, DefaultValue: Format(k.Default, k.Type),
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

// NewInfos joins keys and values, as Kafka's AbstractHerder.generateResult: values that no key defines come first, with a null
// definition; of values of one name the last counts. Errors are counted.
func NewInfos(name string, keys []*Key, values []*Value, groups []string) Infos {
	infos := Infos{Name: name, Groups: append([]string{}, groups...), Configs: make([]Info, 0, len(keys))}
	defined := make(map[string]bool, len(keys))
	for _, k := range keys {
		defined[k.Name] = true
	}
	byName := make(map[string]*Value, len(values))
	for _, v := range values {
		byName[v.Name] = v
	}
	for _, v := range values {
		if defined[v.Name] || byName[v.Name] != v {
			continue
		}
		info := v.Info(String)
		infos.ErrorCount += len(info.Errors)
		infos.Configs = append(infos.Configs, Info{Value: info})
	}
	for _, k := range keys {
		info := Info{Key: k.Info(), Value: (&Value{Name: k.Name, Visible: true}).Info(k.Type)}
		if v := byName[k.Name]; v != nil {
			info.Value = v.Info(k.Type)
			infos.ErrorCount += len(v.Errors)
		}
		infos.Configs = append(infos.Configs, info)
	}
	return infos
}

// Merge adds the infos of another definition: Kafka's mergeConfigInfos.
func (i *Infos) Merge(o Infos) {
	i.ErrorCount += o.ErrorCount
	for _, g := range o.Groups {
		if !slices.Contains(i.Groups, g) {
			i.Groups = append(i.Groups, g)
		}
	}
	i.Configs = append(i.Configs, o.Configs...)
}
