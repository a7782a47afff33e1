package wasmstream

// manifest is what the module says of itself, as JSON.
func manifest() []byte {
	b := append([]byte(nil), `{"abi":1,"name":`...)
	b = appendString(b, module.name)
	b = append(b, `,"version":`...)
	b = appendString(b, module.version)
	b = append(b, `,"language":"go","sdk":"`+SDK+`","components":[`...)
	for i, c := range module.components {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendComponent(b, c)
	}
	b = append(b, ']')
	if module.topology != nil {
		b = append(b, `,"topology":`...)
		b = append(b, module.topology()...)
	}
	return append(b, '}')
}

func appendComponent(b []byte, c *component) []byte {
	b = append(b, `{"name":`...)
	b = appendString(b, c.name)
	b = append(b, `,"kind":`...)
	b = appendString(b, string(c.kind))
	b = append(b, `,"wants":`...)
	b = appendStrings(b, partNames(c.wants))
	b = append(b, `,"stores":`...)
	b = appendStrings(b, c.stores)
	if c.buffers {
		b = append(b, `,"buffers":true`...)
	} else {
		b = append(b, `,"buffers":false`...)
	}
	if c.description != "" {
		b = append(b, `,"description":`...)
		b = appendString(b, c.description)
	}
	if len(c.settings) > 0 {
		b = append(b, `,"config":[`...)
		for i := range c.settings {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendSetting(b, &c.settings[i])
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

func appendSetting(b []byte, s *Setting) []byte {
	b = append(b, `{"name":`...)
	b = appendString(b, s.Name)
	for _, p := range [...]struct{ key, value string }{{"type", s.Type}, {"importance", s.Importance}, {"doc", s.Doc}} {
		if p.value != "" {
			b = append(b, `,"`+p.key+`":`...)
			b = appendString(b, p.value)
		}
	}
	if s.Default != "" || s.HasDefault {
		b = append(b, `,"default":`...)
		b = appendString(b, s.Default)
	}
	if s.Optional {
		b = append(b, `,"optional":true`...)
	}
	if len(s.Values) > 0 {
		b = append(b, `,"values":`...)
		b = appendStrings(b, s.Values)
	}
	return append(b, '}')
}

func partNames(p Part) []string {
	var names []string
	for i, name := range [...]string{"key", "value", "headers"} {
		if p&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

// appendString appends s as a JSON string. s is UTF-8, as Go source is.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20:
			b = append(b, `\u00`...)
			b = append(b, hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
