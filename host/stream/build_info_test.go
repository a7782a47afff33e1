package stream

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestBuildInfoIsOfThisModule(t *testing.T) {
	revision := []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "abc"}}
	for _, c := range []struct {
		info            debug.BuildInfo
		version, commit string
	}{
		{debug.BuildInfo{}, "devel", ""},
		{debug.BuildInfo{Main: debug.Module{Path: modulePath, Version: "(devel)"}, Settings: revision}, "devel", "abc"},
		{debug.BuildInfo{Main: debug.Module{Path: modulePath, Version: "v1.2.3"}, Settings: revision}, "v1.2.3", "abc"},
		{debug.BuildInfo{Main: debug.Module{Path: "example.com/user", Version: "v9.0.0"}, Settings: revision, Deps: []*debug.Module{
			{Path: "example.com/other", Version: "v4.0.0"}, {Path: modulePath, Version: "v1.0.0"},
		}}, "v1.0.0", ""},
	} {
		if got, want := buildOf(&c.info), (origin{c.version, c.commit, runtime.Version()}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}
