package bench

import (
	"testing"

	"github.com/wasmstream/wasmstream/host/stream/streamtest"
)

// piped are the records of a data set.
func piped(t *testing.T, d DataSet) (records []streamtest.Record) {
	t.Helper()
	if err := d.each(func(key, value []byte, timestamp int64) {
		records = append(records, streamtest.Record{Key: key, Value: value, Timestamp: timestamp})
	}); err != nil {
		t.Fatal(err)
	}
	return records
}

// drive runs a job over its inputs, a table first and streams beside each other, and returns the digest of what comes out.
func drive(t *testing.T, j job, guest string, data []DataSet) (got digest) {
	t.Helper()
	var in []string
	for _, d := range data {
		in = append(in, d.Topic())
	}
	topology, err := j.topology(guest, in, "out")
	if err != nil {
		t.Fatal(err)
	}
	modules := map[string][]byte{}
	if guest != "native" {
		modules[j.module] = j.embedded
	}
	d, err := streamtest.New(topology, streamtest.Config{Modules: modules, FrameSize: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	inputs := make([][]streamtest.Record, len(data))
	for i := range data {
		inputs[i] = piped(t, data[i])
		if data[i].Kind == "profiles" {
			if err := d.PipeAll(in[i], inputs[i]...); err != nil {
				t.Fatal(err)
			}
			inputs[i] = nil
		}
	}
	for from := 0; from < len(inputs[0]); from += 100 {
		for i := range inputs {
			if err := d.PipeAll(in[i], inputs[i][min(from, len(inputs[i])):min(from+100, len(inputs[i]))]...); err != nil {
				t.Fatal(err)
			}
		}
	}
	last := counts{}
	for _, r := range d.ReadOutputs("out") {
		if j.final {
			last.set(r.Key, r.Value)
		} else {
			got.add(r.Key, r.Value)
		}
	}
	last.digest(&got)
	return got
}

// TestJobsGiveWhatIsExpected: the guest and the same function in Go write what the oracle of each job says.
func TestJobsGiveWhatIsExpected(t *testing.T) {
	for _, j := range jobs() {
		t.Run(j.name, func(t *testing.T) {
			var want digest
			data := j.data(3000, 1)
			if err := j.expect(data, &want); err != nil {
				t.Fatal(err)
			}
			if want.records == 0 {
				t.Fatal("nothing is expected")
			}
			for _, guest := range []string{"c", "native"} {
				if got := drive(t, j, guest, data); got != want {
					t.Errorf("%s: %d records with digest %x, want %d with %x", guest, got.records, got.sum, want.records, want.sum)
				}
			}
		})
	}
}
