package stream

import (
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
)

// modulePath is this module's, as go.mod names it.
const modulePath = "github.com/wasmstream/wasmstream"

// origin is what the program was built from. commit is "" where the build does not say.
type origin struct{ version, commit, goRelease string }

// buildInfo reads what the linker has noted.
var buildInfo = sync.OnceValue(func() origin {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return buildOf(info)
})

// buildOf is the version of this module, be it the program's own or one that the program uses; the commit is noted of the
// former only.
func buildOf(info *debug.BuildInfo) origin {
	o := origin{version: "devel", goRelease: runtime.Version()}
	version := info.Main.Version
	if info.Main.Path == modulePath {
		if i := slices.IndexFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "vcs.revision" }); i >= 0 {
			o.commit = info.Settings[i].Value
		}
	} else if i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == modulePath }); i >= 0 {
		version = info.Deps[i].Version
	}
	if version != "" && version != "(devel)" {
		o.version = version
	}
	return o
}
