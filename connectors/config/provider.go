package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/connectors/jtext"
)

// Provider answers variables ${name:path:key} in settings.
type Provider interface {
	// Configure reads the provider's own settings.
	Configure(props Props) error
	// Get is what is known at a path, for the keys if they are given. What is not known is left out.
	Get(path string, keys []string) (ProviderData, error)
	Close() error
}

// ProviderData is an answer. TTL is the milliseconds after which it should be asked for again, nil for never.
type ProviderData struct {
	Data map[string]string
	TTL  *int64
}

// variable is Kafka's pattern of a variable.
var variable = regexp.MustCompile(`\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}`)

// Transformer replaces variables in settings.
type Transformer struct{ providers map[string]Provider }

// NewTransformer replaces by the providers of a name.
func NewTransformer(providers map[string]Provider) *Transformer {
	return &Transformer{providers: providers}
}

// Transform is settings with variables replaced: one level, several in a value; what no provider knows is left as it is. TTLs
// are by path.
func (t *Transformer) Transform(props Props) (Props, map[string]int64, error) {
	ttls := map[string]int64{}
	out := make(Props, len(props))
	cache := map[[2]string]ProviderData{}
	for name, value := range props {
		if value == nil || !strings.Contains(*value, "${") {
			out[name] = value
			continue
		}
		replaced, err := t.replace(*value, cache, ttls)
		if err != nil {
			return nil, nil, err
		}
		out.Set(name, replaced)
	}
	return out, ttls, nil
}

func (t *Transformer) replace(value string, cache map[[2]string]ProviderData, ttls map[string]int64) (string, error) {
	var b strings.Builder
	last := 0
	for _, m := range variable.FindAllStringSubmatchIndex(value, -1) {
		provider, key, path := value[m[2]:m[3]], value[m[8]:m[9]], ""
		if m[6] >= 0 {
			path = value[m[6]:m[7]]
		}
		answer, err := t.ask(provider, path, key, cache)
		if err != nil {
			return "", err
		}
		b.WriteString(value[last:m[0]])
		if v, ok := answer.Data[key]; ok {
			b.WriteString(v)
		} else {
			b.WriteString(value[m[0]:m[1]])
		}
		if answer.TTL != nil && *answer.TTL >= 0 {
			ttls[path] = *answer.TTL
		}
		last = m[1]
	}
	b.WriteString(value[last:])
	return b.String(), nil
}

func (t *Transformer) ask(provider, path, key string, cache map[[2]string]ProviderData) (ProviderData, error) {
	p := t.providers[provider]
	if p == nil {
		return ProviderData{}, nil
	}
	at := [2]string{provider + "\x00" + path, key}
	if answer, ok := cache[at]; ok {
		return answer, nil
	}
	answer, err := p.Get(path, []string{key})
	if err == nil {
		cache[at] = answer
	}
	return answer, err
}

const providerTTL = "ttl.ms"

func ttlKey() Key {
	return Key{Name: providerTTL, Type: Long, Nullable: true, Importance: Low, Doc: "Milliseconds after which files are read again, and connectors restarted that use them. Never, if it is not set, as in Kafka."}
}

// onDisk is what the providers that read files have in common.
type onDisk struct {
	allowed AllowedPaths
	ttl     *int64
}

// Configure reads allowed.paths and ttl.ms.
func (p *onDisk) Configure(props Props) error {
	v, err := NewDef(allowedPathsKey(), ttlKey()).Parse(props)
	if err != nil {
		return err
	}
	if !v.Null(providerTTL) {
		millis := int64(v.Int(providerTTL))
		if millis < 1 {
			return Invalid(providerTTL, props.Or(providerTTL, ""), "Value must be at least 1")
		}
		p.ttl = &millis
	}
	p.allowed, err = newAllowedPaths(v)
	return err
}

// FileProvider is Kafka's FileConfigProvider: keys of a properties file.
type FileProvider struct{ onDisk }

// Get reads the file. A path that is not allowed has nothing.
func (p *FileProvider) Get(path string, keys []string) (ProviderData, error) {
	if path == "" || !p.allowed.permits(path) {
		return ProviderData{}, nil
	}
	b, err := p.allowed.read(path)
	if err != nil {
		return ProviderData{}, fault.Config.New("Could not read properties from file " + path).Because(err)
	}
	answer := pick(ParseProperties(string(b)), keys)
	answer.TTL = p.ttl
	return answer, nil
}

// Close does nothing.
func (*FileProvider) Close() error { return nil }

func pick(all map[string]string, keys []string) ProviderData {
	if keys == nil {
		return ProviderData{Data: all}
	}
	out := map[string]string{}
	for _, k := range keys {
		if v, ok := all[k]; ok {
			out[k] = v
		}
	}
	return ProviderData{Data: out}
}

// DirectoryProvider is Kafka's DirectoryConfigProvider: each file of a directory is a key.
type DirectoryProvider struct{ onDisk }

// Get reads the files. A path that is no directory, or not allowed, has nothing.
func (p *DirectoryProvider) Get(path string, keys []string) (ProviderData, error) {
	if path == "" || !p.allowed.permits(path) {
		return ProviderData{}, nil
	}
	entries, err := p.allowed.list(path)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return ProviderData{}, fault.Config.New("Could not list directory " + path).Because(err)
		}
		return ProviderData{}, nil
	}
	wanted := map[string]bool{}
	for _, k := range keys {
		wanted[k] = true
	}
	out := map[string]string{}
	for _, e := range entries {
		name := filepath.Join(path, e.Name())
		if keys != nil && !wanted[e.Name()] {
			continue
		}
		b, err := p.allowed.read(name)
		if errors.Is(err, errNoFile) {
			continue
		}
		if err != nil {
			return ProviderData{}, fault.Config.New("Could not read file " + name + " for property " + e.Name()).Because(err)
		}
		out[e.Name()] = string(b)
	}
	return ProviderData{Data: out, TTL: p.ttl}, nil
}

// Close does nothing.
func (*DirectoryProvider) Close() error { return nil }

// EnvVarProvider is Kafka's EnvVarConfigProvider: variables of the environment.
type EnvVarProvider struct {
	// Environ are the variables as os.Environ gives them; nil for those of the process.
	Environ []string
	vars    map[string]string
}

// Configure reads allowlist.pattern, which names have to match as a whole.
func (p *EnvVarProvider) Configure(props Props) error {
	pattern, err := jtext.CompileRegex(props.Or("allowlist.pattern", ".*"))
	if err != nil {
		return Invalid("allowlist.pattern", props.Or("allowlist.pattern", ""), err.Error())
	}
	env := p.Environ
	if env == nil {
		env = os.Environ()
	}
	p.vars = map[string]string{}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		allowed, err := pattern.Matches(name)
		if err != nil {
			return Exception("allowlist.pattern: " + err.Error())
		}
		if allowed {
			p.vars[name] = value
		}
	}
	return nil
}

// Get looks variables up; it knows no paths.
func (p *EnvVarProvider) Get(path string, keys []string) (ProviderData, error) {
	if path != "" {
		return ProviderData{}, Exception("Path is not supported for EnvVarConfigProvider, invalid value '" + path + "'")
	}
	return pick(p.vars, keys), nil
}

// Close does nothing.
func (*EnvVarProvider) Close() error { return nil }

// NewProvider makes a shipped provider by Kafka's class name or its simple name; nil if there is none of that name.
func NewProvider(class string) Provider {
	switch class[strings.LastIndexByte(class, '.')+1:] {
	case "FileConfigProvider":
		return &FileProvider{}
	case "DirectoryConfigProvider":
		return &DirectoryProvider{}
	case "EnvVarConfigProvider":
		return &EnvVarProvider{}
	}
	return nil
}

// NewProviders makes the providers that a worker's settings name: config.providers, config.providers.<name>.class and
// config.providers.<name>.param.*.
func NewProviders(worker Props) (map[string]Provider, error) {
	out := map[string]Provider{}
	var faults []error
	for _, name := range parseList(nil, strings.TrimSpace(worker.Or("config.providers", ""))) {
		prefix := "config.providers." + name + "."
		class, _ := worker.Get(prefix + "class")
		p := NewProvider(class)
		if p == nil {
			faults = append(faults, Exception("Invalid value "+class+" for configuration "+prefix+"class: Class "+class+" could not be found."))
			continue
		}
		if err := p.Configure(worker.WithPrefix(prefix + "param.")); err != nil {
			faults = append(faults, fault.Config.Errorf("configuring config.providers.%s: %w", name, err))
		}
		out[name] = p
	}
	return out, errors.Join(faults...)
}
