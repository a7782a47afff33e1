package streamsconfig

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// maxReference bounds what ${file:...} may bring into a setting: a certificate chain is a tenth of it.
const maxReference = 1 << 20

// readReference is os.ReadFile with that bound; a pipe that nobody writes to is empty.
func readReference(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxReference+1))
	if err == nil && len(data) > maxReference {
		err = fmt.Errorf("it is larger than %d bytes", maxReference)
	}
	return data, err
}

// Expand replaces ${env:NAME}, ${env:NAME:-default} and ${file:path} in value. $$ is a dollar sign. getenv and
// readFile are those of package os. where names the place of the value in errors; contents are never in them.
func Expand(value, where string, lookupEnv func(string) (string, bool), readFile func(string) ([]byte, error)) (string, error) {
	var out strings.Builder
	for {
		i := strings.IndexByte(value, '$')
		if i < 0 || i == len(value)-1 {
			return out.String() + value, nil
		}
		out.WriteString(value[:i])
		switch value[i+1] {
		case '$':
			out.WriteByte('$')
			value = value[i+2:]
			continue
		case '{':
		default:
			out.WriteByte('$')
			value = value[i+1:]
			continue
		}
		inner, rest, closed := strings.Cut(value[i+2:], "}")
		if !closed {
			return "", errs.ConfigInvalid.New(where, "${ without }", "close it, or write $$ for a dollar sign")
		}
		text, err := reference(inner, where, lookupEnv, readFile)
		if err != nil {
			return "", err
		}
		out.WriteString(text)
		value = rest
	}
}

func reference(inner, where string, lookupEnv func(string) (string, bool), readFile func(string) ([]byte, error)) (string, error) {
	kind, name, _ := strings.Cut(inner, ":")
	switch kind {
	case "env":
		name, def, hasDefault := strings.Cut(name, ":-")
		if v, ok := lookupEnv(name); ok && (v != "" || !hasDefault) {
			return v, nil
		}
		if hasDefault {
			return def, nil
		}
		return "", errs.ConfigUnsetVariable.New(where, "the environment variable "+name+" is not set", "set it, or write ${env:"+name+":-default}")
	case "file":
		data, err := readFile(name)
		if err != nil {
			var path *os.PathError
			if errors.As(err, &path) {
				err = path.Err
			}
			return "", errs.ConfigUnsetVariable.New(where, "the file "+name+" cannot be read", "check the path in ${file:...}").WithCause(err)
		}
		return strings.TrimRight(string(data), "\r\n"), nil
	}
	return "", errs.ConfigInvalid.New(where, "${"+kind+":...} is not known", "write ${env:NAME}, ${env:NAME:-default} or ${file:path}")
}
