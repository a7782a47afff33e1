package wasmstream

import "slices"

// Function is what an operator of a topology calls: a component of this module, or an expression that the host works
// out itself. What registers a component returns one; package streams takes it.
type Function struct {
	component  string
	key, value string // expressions
	outKey     Serde
	outValue   Serde
	stores     []string
	config     []string // keys and values in turns
}

// Serde names how keys or values are written: "string", "long", "json", ... Package streams has the names.
type Serde string

// Component is a component of this module by its name, wherever it is registered.
func Component(name string) Function { return Function{component: name} }

// Expr is an expression in CEL over key, value, timestamp and headers (and left and right, or aggregate, where a
// function has them). The host works it out without a call into the module.
func Expr(source string) Function { return Function{value: source} }

// MapExpr are the two expressions of a map.
func MapExpr(key, value string) Function { return Function{key: key, value: value} }

// Out says how the keys and values that the function makes are written; "" leaves one open.
func (f Function) Out(key, value Serde) Function {
	f.outKey, f.outValue = key, value
	return f
}

// With gives the component a setting, for Context.Config.
func (f Function) With(key, value string) Function {
	f.config = append(slices.Clone(f.config), key, value)
	return f
}

// OutKey is how the keys that the function makes are written, "" if that was not said.
func (f Function) OutKey() Serde { return f.outKey }

// OutValue is how the values that the function makes are written, "" if that was not said.
func (f Function) OutValue() Serde { return f.outValue }

// Stores are those that the component opens.
func (f Function) Stores() []string { return f.stores }

// AppendJSON appends the function as fields of a JSON object: guest and config, or expr.
func (f Function) AppendJSON(dst []byte) []byte {
	switch {
	case f.key != "":
		dst = appendString(append(dst, `"expr":{"key":`...), f.key)
		dst = appendString(append(dst, `,"value":`...), f.value)
		return append(dst, '}')
	case f.component == "":
		return appendString(append(dst, `"expr":`...), f.value)
	}
	dst = appendString(append(dst, `"guest":`...), f.component)
	for i := 0; i < len(f.config); i += 2 {
		if i == 0 {
			dst = append(dst, `,"config":{`...)
		} else {
			dst = append(dst, ',')
		}
		dst = appendString(dst, f.config[i])
		dst = appendString(append(dst, ':'), f.config[i+1])
	}
	if len(f.config) > 0 {
		dst = append(dst, '}')
	}
	return dst
}

// AppendJSONString appends s as a JSON string.
func AppendJSONString(dst []byte, s string) []byte { return appendString(dst, s) }
