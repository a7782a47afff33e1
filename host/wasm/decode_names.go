package wasm

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Subsections of the name section.
const (
	namesOfModule    = 0
	namesOfFunctions = 1
)

// maxShownName cuts the names of functions: they are for people, and C++ makes long ones.
const maxShownName = 500

// readNames takes the names of functions from the name section. A name section that is damaged is no fault of the
// module (the specification says so): what can be read is taken.
func (m *module) readNames() {
	m.names = map[uint32]string{}
	for _, c := range m.customs {
		if c.name != "name" {
			continue
		}
		r := reader{b: m.bytes, pos: c.body.start, end: c.body.end}
		for r.left() > 0 && r.bad == "" {
			id, size := r.byte(), r.count(MaxModuleBytes, "bytes of names")
			sub := reader{b: m.bytes, pos: r.pos, end: r.pos + size}
			r.skip(size)
			if r.bad == "" {
				m.readSubsection(id, &sub)
			}
		}
	}
	for _, e := range m.exports {
		if _, named := m.names[e.index]; e.kind == kindFunc && !named {
			m.names[e.index] = shown(e.name)
		}
	}
}

func (m *module) readSubsection(id byte, r *reader) {
	switch id {
	case namesOfModule:
		m.ownName = shown(string(r.bytes(r.count(maxNameBytes, "bytes of a name"))))
	case namesOfFunctions:
		for range r.count(maxFunctions+maxImports, "names") {
			index := r.u32()
			name := r.bytes(r.count(maxNameBytes, "bytes of a name"))
			if r.bad != "" {
				return
			}
			if int64(index) < int64(len(m.funcs)) {
				m.names[index] = shown(string(name))
			}
		}
	}
}

// functionAt is the number of a function and, where the module tells it, its name; for messages about a module that is
// not read to its end.
func (m *module) functionAt(index uint32) string {
	where := fmt.Sprintf("function %d", index)
	r := reader{b: m.bytes, pos: 8, end: len(m.bytes)}
	for r.left() > 0 && r.bad == "" {
		id, size := r.byte(), int(r.u32())
		sub := reader{b: m.bytes, pos: r.pos, end: r.pos + size}
		if r.skip(size); r.bad != "" || id != secCustom {
			continue
		}
		if sub.name() != "name" || sub.bad != "" {
			continue
		}
		if name := functionNamed(&sub, index); name != "" {
			return where + " (" + name + ")"
		}
	}
	for _, e := range m.exports {
		if e.kind == kindFunc && e.index == index {
			return where + " (" + shown(e.name) + ")"
		}
	}
	return where
}

// functionNamed looks for the name of one function in a name section.
func functionNamed(r *reader, index uint32) string {
	for r.left() > 0 && r.bad == "" {
		id, size := r.byte(), int(r.u32())
		sub := reader{b: r.b, pos: r.pos, end: r.pos + size}
		if r.skip(size); r.bad != "" || id != namesOfFunctions {
			continue
		}
		for range sub.count(maxFunctions+maxImports, "names") {
			i := sub.u32()
			name := sub.bytes(sub.count(maxNameBytes, "bytes of a name"))
			if sub.bad != "" {
				break
			}
			if i == index {
				return shown(string(name))
			}
		}
	}
	return ""
}

// shown makes a guest's name fit to be printed: bounded, UTF-8, without control characters.
func shown(s string) string {
	if len(s) > maxShownName {
		s = s[:maxShownName]
	}
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
