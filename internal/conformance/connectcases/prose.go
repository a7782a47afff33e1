package connectcases

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/config"
)

// listed is a provider whose answers a case lists in words: "provider 'test': path p has k=v, w=x (ttl 1); empty path has ...".
type listed map[string]map[string]answer

type answer struct {
	value string
	ttl   *int64
}

func (listed) Configure(config.Props) error { return nil }
func (listed) Close() error                 { return nil }

func (l listed) Get(path string, keys []string) (config.ProviderData, error) {
	out := config.ProviderData{Data: map[string]string{}}
	for _, k := range keys {
		if a, ok := l[path][k]; ok {
			out.Data[k] = a.value
			if a.ttl != nil {
				out.TTL = a.ttl
			}
		}
	}
	return out, nil
}

var (
	providerNote = regexp.MustCompile(`^provider '([^']*)': (.*)$`)
	pathNote     = regexp.MustCompile(`^(?:path (\S+)|empty path) has (.*)$`)
	ttlNote      = regexp.MustCompile(`^(.*) \(ttl (\d+)\)$`)
)

func proseProvider(prose string) (name string, l listed, err error) {
	m := providerNote.FindStringSubmatch(prose)
	if m == nil {
		return "", nil, fmt.Errorf("a provider %q that cannot be read", prose)
	}
	l = listed{}
	for _, part := range strings.Split(m[2], "; ") {
		p := pathNote.FindStringSubmatch(part)
		if p == nil {
			return "", nil, fmt.Errorf("a path %q that cannot be read", part)
		}
		answers := map[string]answer{}
		for _, pair := range strings.Split(p[2], ", ") {
			k, v, _ := strings.Cut(pair, "=")
			a := answer{value: v}
			if t := ttlNote.FindStringSubmatch(v); t != nil {
				n, _ := strconv.ParseInt(t[2], 10, 64)
				a = answer{value: t[1], ttl: &n}
			}
			answers[k] = a
		}
		l[p[1]] = answers
	}
	return m[1], l, nil
}
