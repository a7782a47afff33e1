package kafka

import (
	"strings"
	"testing"
	"time"
)

func TestKeyParse(t *testing.T) {
	byName := map[string]Key{}
	for _, k := range AllClientKeys() {
		byName[k.Name] = k
	}
	cases := []struct{ key, value, want, fault string }{
		{"retry.backoff.ms", "250", "250", ""},
		{"retry.backoff.ms", "30s", "30000", ""},
		{"retry.backoff.ms", "1us", "", "duration"},
		{"retry.backoff.ms", "-1", "", "at least 0"},
		{"fetch.max.bytes", "64MiB", "67108864", ""},
		{"fetch.max.bytes", "1 kB", "1000", ""},
		{"fetch.max.bytes", "9GiB", "", "at most 2147483647"},
		{"fetch.max.bytes", "much", "", "bytes or a size"},
		{"buffer.memory", "1GiB", "1073741824", ""},
		{"max.poll.records", "1e3", "", "whole number"},
		{"max.poll.records", "99999999999999999999", "", "2147483647"},
		{"retry.backoff.ms", "-99999999999999999999", "", "at least 0"},
		{"check.crcs", "TRUE", "true", ""},
		{"check.crcs", "yes", "", "true or false"},
		{"security.protocol", "sasl_ssl", "SASL_SSL", ""},
		{"security.protocol", "tls", "", "one of PLAINTEXT"},
		{"bootstrap.servers", " a:1 ,b:2,", "a:1,b:2", ""},
		{"auto.offset.reset", "by_duration:PT1H", "by_duration:PT1H", ""},
		{"auto.offset.reset", "oldest", "", "one of earliest"},
		{"ssl.endpoint.identification.algorithm", "", "", ""},
		{"sasl.login.refresh.window.factor", "0.9", "0.9", ""},
		{"sasl.login.refresh.window.factor", "2", "", "0.5 to 1"},
	}
	for _, c := range cases {
		got, err := byName[c.key].Parse(c.value)
		if (err == nil) != (c.fault == "") || (err != nil && !strings.Contains(err.Error(), c.fault)) || got != c.want {
			t.Errorf("%s = %q: got %q, %v; want %q, %q", c.key, c.value, got, err, c.want, c.fault)
		}
	}
}

// TestDefaultsAreValid: every default must pass its own key.
func TestDefaultsAreValid(t *testing.T) {
	for _, k := range AllClientKeys() {
		if !k.HasDefault() || k.Name == "ssl.truststore.type" {
			continue
		}
		if got, err := k.Parse(k.Default); err != nil || got != k.Default {
			t.Errorf("%s: its default %q parses as %q, %v", k.Name, k.Default, got, err)
		}
		if k.RefusedValue(k.Default) {
			t.Errorf("%s refuses its default", k.Name)
		}
		if k.Note == "" || strings.HasSuffix(k.Note, ".") {
			t.Errorf("%s: note %q", k.Name, k.Note)
		}
	}
}

func TestParseISODuration(t *testing.T) {
	cases := map[string]time.Duration{
		"PT1H30M": 90 * time.Minute, "P1DT2H": 26 * time.Hour, "PT0.5S": 500 * time.Millisecond, "-PT1S": -time.Second,
		"PT-1S": -time.Second, "1h30m": 90 * time.Minute, "P2D": 48 * time.Hour,
	}
	for text, want := range cases {
		if got, err := ParseISODuration(text); err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "P", "PT", "P1DT", "1", "P1Y", "P99999999999D", "PT1.S"} {
		if got, err := ParseISODuration(text); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}

func FuzzParseISODuration(f *testing.F) {
	f.Add("PT1H")
	f.Fuzz(func(_ *testing.T, text string) { _, _ = ParseISODuration(text) })
}
