//go:build integration

package main_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

func TestLabOnApacheKafka(t *testing.T) {
	l := newLab(t, brokertest.Own(t).Addr, false)
	l.useKafkaTools()
	l.run("docs/lab-wordcount.md")
}

func TestConnectLabOnApacheKafka(t *testing.T) {
	newLab(t, brokertest.Own(t).Addr, false).runConnect()
}

// useKafkaTools puts Kafka's own commands on the PATH, by the names that its distribution has for them.
func (l *lab) useKafkaTools() {
	l.t.Helper()
	l.tools = l.t.TempDir()
	script := "#!/bin/sh\nexec '" + brokertest.Script() + "' tool org.apache.kafka.tools.consumer.ConsoleConsumer \"$@\"\n"
	if err := os.WriteFile(filepath.Join(l.tools, "kafka-console-consumer.sh"), []byte(script), 0o700); err != nil {
		l.t.Fatal(err)
	}
	l.env = append(l.env, "PATH="+l.tools+string(os.PathListSeparator)+os.Getenv("PATH"))
}
