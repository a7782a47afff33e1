package main_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// faultDir is the variable that names the folder for what a run leaves; without it, one that fails makes a temporary one.
const faultDir = "WASMSTREAM_FAULT_DIR"

// keep leaves a folder with what a run has to say: the timeline of its faults and what each process printed and, if it has
// failed, the state directories and the extras.
func (f *fleet) keep() {
	if parent := os.Getenv(faultDir); parent != "" {
		_ = os.MkdirAll(parent, 0o700) // what is wrong with it MkdirTemp tells
	}
	dir, err := os.MkdirTemp(os.Getenv(faultDir), strings.NewReplacer("/", "-", " ", "-").Replace(f.t.Name())+"-")
	if err != nil {
		f.t.Logf("keeping what happened: %v", err)
		return
	}
	err = os.WriteFile(filepath.Join(dir, "timeline.txt"), []byte(strings.Join(f.timeline, "\n")+"\n"), 0o600)
	for name, text := range f.lives {
		err = firstOf(err, os.WriteFile(filepath.Join(dir, "process-"+strings.ReplaceAll(name, " ", "-")+".log"), []byte(text), 0o600))
	}
	if f.t.Failed() {
		err = firstOf(err, os.CopyFS(filepath.Join(dir, "work"), os.DirFS(f.dir)))
		for _, extra := range f.extras {
			err = firstOf(err, extra(dir))
		}
	}
	f.t.Logf("what happened is in %s (%v)", dir, err)
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// dumpTopics writes the committed records of the application's topics, its internal ones too, one a line.
func (c *crash) dumpTopics(dir string) error {
	all, err := kadm.NewClient(c.consumer).ListTopics(context.Background())
	if err != nil {
		return err
	}
	for _, topic := range all.Names() {
		if topic != c.in && topic != c.out && !strings.HasPrefix(topic, c.b.Name("crash")) {
			continue
		}
		var b bytes.Buffer
		for _, r := range c.b.ReadAll(c.t, topic) {
			fmt.Fprintf(&b, "%d %d %s\n", r.Partition, r.Offset, recordText(r))
		}
		if err := os.WriteFile(filepath.Join(dir, topic+".txt"), b.Bytes(), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func recordText(r *kgo.Record) string {
	return fmt.Sprintf("%q %q", r.Key, r.Value)
}
