package streamsconfig

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
)

// Layer is one place that settings come from. Later layers win over earlier ones.
type Layer struct {
	// Origin is shown with each value: "wordcount.yaml", "--set".
	Origin string
	// Where gives a closer place by key (file:line:col), if known.
	Where  map[string]string
	Values map[string]string
	// Warnings are about what looks like a setting of this layer and is none.
	Warnings []string
}

func (l Layer) where(key string) string {
	if w := l.Where[key]; w != "" {
		return w
	}
	return l.Origin
}

// Set is the layer of --set KEY=VALUE flags.
func Set(pairs []string) (Layer, error) {
	l := Layer{Origin: "--set", Values: map[string]string{}}
	var faults []error
	for _, pair := range pairs {
		k, v, ok := strings.Cut(pair, "=")
		if !ok || strings.TrimSpace(k) == "" {
			// The text is not shown: a value could be a password with its key forgotten.
			faults = append(faults, errs.CLIUsage.New("--set", "want KEY=VALUE", "as in --set commit.interval.ms=100"))
			continue
		}
		l.Values[strings.TrimSpace(k)] = v
	}
	return l, errors.Join(faults...)
}

// envPrefix begins the name of every variable that is a setting.
const envPrefix = "WASMSTREAM_"

// EnvName is the environment variable of a key: main.consumer.fetch.min.bytes is
// WASMSTREAM_MAIN_CONSUMER_FETCH_MIN_BYTES.
func EnvName(key string) string {
	return envPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
}

// otherVariables are those of the commands, of the tools and (as beginnings) of the tests, which are no settings.
var otherVariables = []string{
	"ADMIN", "BOOTSTRAP_SERVER", "CLANG", "CONNECT_TOKEN", "CONNECT_URL", "CONNECT_USER", "FAILPOINT", "FAULT_DIR", "GUESTS_DIR", "MUTANT",
	"WRITE_DOCS", "TEST_", "BENCH_",
}

func isOther(name string) bool {
	name = strings.TrimPrefix(name, envPrefix)
	return slices.ContainsFunc(otherVariables, func(other string) bool {
		return name == other || strings.HasSuffix(other, "_") && strings.HasPrefix(name, other)
	})
}

// Env is the layer of environment variables, from what os.Environ gives. A variable that begins with WASMSTREAM_ and
// means nothing is warned of: it may come from elsewhere, so it is no fault.
func Env(environ []string) Layer {
	l := Layer{Origin: "environment", Values: map[string]string{}, Where: map[string]string{}}
	names := map[string]string{}
	for _, key := range allNames() {
		names[EnvName(key)] = key
	}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if key, ok := names[name]; ok && strings.HasPrefix(name, envPrefix) {
			l.Values[key], l.Where[key] = value, "env "+name
		} else if strings.HasPrefix(name, envPrefix) && !isOther(name) {
			l.Warnings = append(l.Warnings, "env "+name+" is not a setting: "+errs.DidYouMean(name, slices.Sorted(maps.Keys(names))))
		}
	}
	return l
}

// allNames lists every name that can be set, with all prefixes, sorted.
func allNames() []string {
	names := map[string]bool{}
	for _, k := range slices.Concat(Keys(), OwnKeys(), kafka.AllClientKeys()) {
		names[k.Name] = true
	}
	for _, p := range prefixes() {
		for _, k := range kafka.ClientKeys(p.kind) {
			names[p.name+k.Name] = true
		}
	}
	for _, k := range kafka.TopicKeyNames() {
		names[topicPrefix+k] = true
	}
	return slices.Sorted(maps.Keys(names))
}

const (
	topicPrefix = "topic."
	tagPrefix   = "client.tag."
)

// prefix is a part of the names that direct a property to some clients.
type prefix struct {
	name string
	kind kafka.Kind
}

// prefixes, the more specific first.
func prefixes() []prefix {
	return []prefix{
		{"main.consumer.", kafka.Consumer},
		{"restore.consumer.", kafka.Consumer},
		{"global.consumer.", kafka.Consumer},
		{"consumer.", kafka.Consumer},
		{"producer.", kafka.Producer},
		{"admin.", kafka.Admin},
	}
}
