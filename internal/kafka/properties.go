package kafka

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// Properties are settings of one client by Kafka's names, without prefixes.
type Properties map[string]string

// Check returns the canonical values of props with Kafka's defaults for all other properties of the client. The error
// joins every fault: unknown names, values that do not fit, properties that are refused. where names the place that
// the properties come from, such as "--command-config client.properties".
func (p Properties) Check(kind Kind, where string) (Properties, error) {
	known := map[string]Key{}
	for _, k := range ClientKeys(kind) {
		known[k.Name] = k
	}
	var faults []error
	checked := Properties{}
	for _, name := range slices.Sorted(maps.Keys(p)) {
		k, ok := known[name]
		if !ok {
			faults = append(faults, errs.ConfigUnknownKey.New(where, strconv.Quote(name)+" is not a property of this client", errs.DidYouMean(name, slices.Collect(maps.Keys(known)))))
			continue
		}
		v, err := CheckValue(k, p[name], where)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		checked[name] = v
	}
	for name, k := range known {
		if _, set := checked[name]; !set && k.HasDefault() {
			checked[name] = k.Default
		}
	}
	return checked, errors.Join(faults...)
}

// CheckValue parses value for k; the error has a code, the key, the value (unless it is a secret) and the remedy.
func CheckValue(k Key, value, where string) (string, error) {
	got := " (got " + strconv.Quote(k.Show(value)) + ")"
	v, err := k.Parse(value)
	switch {
	case err != nil:
		return "", errs.ConfigInvalid.New(where, k.Name+": "+err.Error()+got, "")
	case k.RefusedValue(v):
		fix := "remove the key"
		if k.HasDefault() && k.Default != "" {
			fix += " or set it to " + k.Default
		}
		return "", errs.ConfigUnsupported.New(where, k.Name+": "+k.Note+got, fix)
	}
	return v, nil
}

// The accessors read canonical values; a property that is not there is the zero value.

func (p Properties) str(name string) string { return p[name] }

func (p Properties) isSet(name string) bool {
	_, ok := p[name]
	return ok
}

func (p Properties) integer(name string) int64 {
	n, err := strconv.ParseInt(p[name], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (p Properties) int32(name string) int32 { return int32(min(p.integer(name), 1<<31-1)) }

func (p Properties) duration(name string) time.Duration {
	const most = int64(1) << 62 / int64(time.Millisecond)
	return time.Duration(min(p.integer(name), most)) * time.Millisecond
}

func (p Properties) boolean(name string) bool { return p[name] == "true" }

// MaxPollRecords is how many records a consumer takes at once.
func (p Properties) MaxPollRecords() int { return int(p.integer("max.poll.records")) }

// Redacted is a copy with secrets hidden, for logs.
func (p Properties) Redacted() Properties {
	shown := maps.Clone(p)
	for _, k := range AllClientKeys() {
		if v, ok := shown[k.Name]; ok {
			shown[k.Name] = k.Show(v)
		}
	}
	return shown
}

// Servers is bootstrap.servers as a list.
func (p Properties) Servers() []string { return SplitList(p["bootstrap.servers"]) }

// where names the cluster in errors.
func (p Properties) where() string { return strings.Join(p.Servers(), ",") }
