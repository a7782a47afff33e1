//go:build conformance

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestClients drives clients of Kafka Connect that others wrote, by their own commands, against a worker of ours. make
// clients installs them.
func TestClients(t *testing.T) {
	p := scripts("testdata/clients")
	setup := p.Setup
	p.Setup = func(env *testscript.Env) error {
		python, java := absolute(t, "../../.cache/clients/python/bin"), absolute(t, "../../.cache/clients/java")
		for _, path := range []string{python, java} {
			if _, err := os.Stat(path); err != nil {
				t.Fatalf("%v: install the clients with: .ci/clients.sh", err)
			}
		}
		env.Setenv("PATH", python+string(os.PathListSeparator)+env.Getenv("PATH"))
		env.Setenv("JAVA_CLIENT", absolute(t, "../../internal/conformance/clients/Client.java"))
		env.Setenv("JAVA_LIBS", filepath.Join(java, "*"))
		return setup(env)
	}
	testscript.Run(t, p)
}
