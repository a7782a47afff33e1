package connectorconfig

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/wasmstream/wasmstream/connectors"
)

// TestOrderOfVersions wants each version below the next, and those of a line alike, as Maven's rules have it.
func TestOrderOfVersions(t *testing.T) {
	lines := [][]string{
		{"1-alpha", "1.0-ALPHA", "1-a0", "1alpha"},
		{"1-alpha-1", "1-a1", "1.0-alpha1"},
		{"1-beta", "1-b0"},
		{"1-milestone"},
		{"1-rc", "1-cr"},
		{"1-rc-2", "1.0-rc2"},
		{"1-SNAPSHOT"},
		{"1", "1.0", "1.0.0", "1-ga", "1.final", "1-0", "01", "1.0-release"},
		{"1-sp"},
		{"1-abc"},
		{"1-xyz"},
		{"1-1"},
		{"1.0.1"},
		{"1.2"},
		{"1.10"},
		{"4.3.1-rc1"},
		{"4.3.1"},
		{"10"},
		{"99999999999999999999"},
	}
	for i, a := range lines {
		for j, b := range lines {
			for _, v := range a {
				for _, w := range b {
					if got, want := compareVersions(v, w), sign(i-j); got != want {
						t.Errorf("%s against %s: %d, want %d", v, w, got, want)
					}
				}
			}
		}
	}
}

func sign(n int) int { return min(max(n, -1), 1) }

func TestOrderOfVersionsIsOne(t *testing.T) {
	version := rapid.StringMatching(`[0-9a-c]{1,2}([.-]?(0|1|[0-9]{2}|a|rc|sp|final|SNAPSHOT)){0,3}`)
	rapid.Check(t, func(t *rapid.T) {
		vs := []string{version.Draw(t, "a"), version.Draw(t, "b"), version.Draw(t, "c")}
		if compareVersions(vs[0], vs[1]) != -compareVersions(vs[1], vs[0]) || compareVersions(vs[0], vs[0]) != 0 {
			t.Fatalf("%s and %s", vs[0], vs[1])
		}
		slices.SortFunc(vs, compareVersions)
		if compareVersions(vs[0], vs[2]) > 0 {
			t.Fatalf("%s", vs)
		}
	})
}

// TestVersionRanges wants the answers that a worker of Kafka 4.3.1 gave for a plugin of version 4.3.1.
func TestVersionRanges(t *testing.T) {
	missing := func(r string) string {
		return "Plugin X not found that matches the version range " + r + ", available versions: [4.3.1]"
	}
	for wanted, want := range map[string]string{
		"4.3.1": "", "[4.3.1]": "", "[1.0,5.0)": "", " 4.3.1 ": "", "latest": "", "[1,2),[4,5)": "", "[4,)": "", "(,4.3.1]": "", "(,)": "", "4.3.1.0": "",
		"1.2": missing("[1.2,1.2]"), "[1.0,2.0)": missing("[1.0,2.0)"), "abc": missing("[abc,abc]"), "": missing("[,]"), "[,4.0]": missing("[,4.0]"), "4.3": missing("[4.3,4.3]"),
		"(4.3.1,)": missing("(4.3.1,)"), "1.0,2.0": missing("[1.0,2.0]"), "[1,2),(2,3]": missing("[1,2),(2,3]"),
		"[1.0": "Unbounded range: [1.0", "5]": "Only fully-qualified sets allowed in multiple set scenario: [5]]", "(1.0)": "Single version must be surrounded by []: (1.0)",
		"[2,1]": "Range defies version ordering: [2,1]", "[1,1)": "Range defies version ordering: [1,1)", "[1,3],[2,4]": "Ranges overlap: [1,3],[2,4]", "[1,2],x": "Only fully-qualified sets allowed in multiple set scenario: [1,2],x",
	} {
		got := ""
		if err := CheckVersion(connectors.Plugin{Class: "X", Version: "4.3.1"}, wanted); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", wanted, got, want)
		}
	}
}

// FuzzVersionRange wants ranges to be read back from what they print, and no panics.
func FuzzVersionRange(f *testing.F) {
	for _, seed := range []string{"[1.0,2.0)", "latest", "1.2", "[1,2),[4,)", "-.-", "1a-"} {
		f.Add(seed, "4.3.1")
	}
	f.Fuzz(func(t *testing.T, text, version string) {
		r, err := parseVersionRange(text)
		if err != nil || r == nil {
			return
		}
		again, err := parseVersionRange(r.String())
		if err != nil || again.has(version) != r.has(version) {
			t.Errorf("%q is printed as %q, which %v, %v", text, r, again, err)
		}
	})
}
