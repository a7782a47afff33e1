package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ConnectOptions is one measurement of a standalone worker with one connector.
type ConnectOptions struct {
	Job    string // one of ConnectJobs
	Worker string // wasmstream, or kafka-connect
	// Records of the input: events in JSON of about 190 bytes.
	Records int
	// Rate has the records come at so many a second, so that their latency can be measured; 0 has all of them there at once.
	Rate int
	// Set are further settings of the worker, KEY=VALUE.
	Set []string
	// Baseline is the folder of Kafka's jars, for the worker kafka-connect.
	Baseline string
}

// ConnectResult is what was measured of a worker: from the moment when its task was RUNNING until the last record was
// written, or its offset committed; memory over its whole life.
type ConnectResult struct {
	Job                 string  `json:"job"`
	Worker              string  `json:"worker"`
	Broker              string  `json:"broker"`
	Records             int     `json:"records"`
	Seconds             float64 `json:"seconds"`
	CPUSeconds          float64 `json:"cpu_seconds"`
	RecordsPerSecond    float64 `json:"records_per_second"`
	RecordsPerCPUSecond float64 `json:"records_per_cpu_second"`
	PeakRSSBytes        int64   `json:"peak_rss_bytes"`
	StartMS             int64   `json:"start_ms"`
	// Rate and Latency are those of a paced input.
	Rate    int      `json:"rate,omitempty"`
	Latency *Latency `json:"latency,omitempty"`
}

// ConnectWorkers are the workers that can be measured.
func ConnectWorkers() []string { return []string{"wasmstream", "kafka-connect"} }

// connectJob is a connector with its converter and transformations, the same for both workers.
type connectJob struct {
	source bool
	config map[string]string
}

const (
	jsonConverter   = "org.apache.kafka.connect.json.JsonConverter"
	stringConverter = "org.apache.kafka.connect.storage.StringConverter"
	bytesConverter  = "org.apache.kafka.connect.converters.ByteArrayConverter"
	transformsOf    = "org.apache.kafka.connect.transforms."
	connectPatience = 20 * time.Minute
)

func connectJobs() map[string]connectJob {
	const sink = "org.apache.kafka.connect.file.FileStreamSinkConnector"
	return map[string]connectJob{
		// Lines of a file, two transformations, JSON without a schema.
		"file-source": {source: true, config: map[string]string{
			"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
			"value.converter": jsonConverter, "value.converter.schemas.enable": "false", "transforms": "hoist,add",
			"transforms.hoist.type": transformsOf + "HoistField$Value", "transforms.hoist.field": "line",
			"transforms.add.type": transformsOf + "InsertField$Value", "transforms.add.static.field": "host", "transforms.add.static.value": "web-1",
		}},
		// Texts of a topic into the null device.
		"null-sink": {config: map[string]string{"connector.class": sink, "file": os.DevNull, "value.converter": stringConverter}},
		// JSON is read, three transformations, into the null device as text.
		"json-sink": {config: map[string]string{
			"connector.class": sink, "file": os.DevNull, "value.converter": jsonConverter, "value.converter.schemas.enable": "false", "transforms": "cut,add,mask",
			"transforms.cut.type": transformsOf + "ReplaceField$Value", "transforms.cut.renames": "user:who",
			"transforms.add.type": transformsOf + "InsertField$Value", "transforms.add.topic.field": "topic", "transforms.add.offset.field": "offset",
			"transforms.mask.type": transformsOf + "MaskField$Value", "transforms.mask.fields": "topic",
		}},
	}
}

// ConnectJobs are the names of the jobs.
func ConnectJobs() []string { return slices.Sorted(maps.Keys(connectJobs())) }

// connectRun is a worker that is being measured.
type connectRun struct {
	name  string
	topic string // of a source's output or a sink's input
	dir   string
	url   string
	cmd   *exec.Cmd
	ended chan struct{}
	adm   *kadm.Client
}

// MeasureConnect runs one worker over its input.
func (s *Session) MeasureConnect(ctx context.Context, o ConnectOptions) (r ConnectResult, err error) {
	j, ok := connectJobs()[o.Job]
	if !ok {
		return r, fmt.Errorf("there is no job %q", o.Job)
	}
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.bootstrap))
	if err != nil {
		return r, err
	}
	defer cl.Close()
	name := fmt.Sprintf("bench-%s-%s-%d", o.Job, o.Worker, time.Now().UnixNano())
	run := &connectRun{name: name, dir: filepath.Join(s.dir, name), adm: kadm.NewClient(cl), ended: make(chan struct{})}
	defer s.cleanUp(name)
	if err := run.prepare(ctx, s, j, o); err != nil {
		return r, err
	}
	began := time.Now()
	if err := run.cmd.Start(); err != nil {
		return r, fmt.Errorf("starting the worker: %w", err)
	}
	go func() {
		_ = run.cmd.Wait() // it is killed at the end
		close(run.ended)
	}()
	defer func() {
		_ = run.cmd.Process.Kill()
		<-run.ended
		if err != nil {
			log, _ := os.ReadFile(filepath.Join(run.dir, "worker.out"))
			err = fmt.Errorf("%w\n%s", err, tail(log))
		}
	}()
	if err := run.await(ctx, run.running); err != nil {
		return r, fmt.Errorf("waiting for the task: %w", err)
	}
	running, before := time.Now(), processCPU(run.cmd.Process.Pid)
	var latency *Latency
	if o.Rate > 0 {
		latency, err = run.pace(ctx, s, j, o)
	} else {
		err = run.await(ctx, func(ctx context.Context) (bool, error) { return run.done(ctx, j, int64(o.Records)) })
	}
	if err != nil {
		return r, fmt.Errorf("waiting for the last record: %w", err)
	}
	r = ConnectResult{
		Rate: o.Rate, Latency: latency,
		Job: o.Job, Worker: o.Worker, Broker: s.broker, Records: o.Records, Seconds: time.Since(running).Seconds(),
		CPUSeconds: processCPU(run.cmd.Process.Pid) - before, PeakRSSBytes: processPeak(run.cmd.Process.Pid), StartMS: running.Sub(began).Milliseconds(),
	}
	r.RecordsPerSecond = float64(o.Records) / r.Seconds
	if r.CPUSeconds > 0 { // it is told in hundredths of a second, and on Linux only
		r.RecordsPerCPUSecond = float64(o.Records) / r.CPUSeconds
	}
	return r, nil
}

// prepare makes the input and the worker's files.
func (r *connectRun) prepare(ctx context.Context, s *Session, j connectJob, o ConnectOptions) error {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return err
	}
	connector := maps.Clone(j.config)
	connector["name"], connector["tasks.max"] = r.name, "1"
	if err := r.prepareInput(ctx, s, j, o, connector); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	r.url = "http://" + l.Addr().String()
	l.Close()
	worker := map[string]string{
		"bootstrap.servers": s.bootstrap, "listeners": r.url, "offset.storage.file.filename": filepath.Join(r.dir, "offsets"),
		"key.converter": bytesConverter, "value.converter": bytesConverter, "offset.flush.interval.ms": "500",
	}
	for _, setting := range o.Set {
		k, v, _ := strings.Cut(setting, "=")
		worker[k] = v
	}
	files := []string{filepath.Join(r.dir, "worker.properties"), filepath.Join(r.dir, "connector.properties")}
	if err := errors.Join(writeProperties(files[0], worker), writeProperties(files[1], connector)); err != nil {
		return err
	}
	r.cmd = s.connectWorker(o, files)
	out, err := os.Create(filepath.Join(r.dir, "worker.out"))
	r.cmd.Stdout, r.cmd.Stderr = out, out
	return err
}

// prepareInput makes the file of a source or the topic of a sink, empty ones if records are paced.
func (r *connectRun) prepareInput(ctx context.Context, s *Session, j connectJob, o ConnectOptions, connector map[string]string) error {
	data := DataSet{Kind: "events", Records: o.Records, Partitions: 1}
	switch {
	case j.source:
		r.topic = r.name + "-out"
		connector["topic"], connector["file"] = r.topic, r.file(j)
		if o.Rate > 0 {
			data.Records = 0
		}
		return errors.Join(recreate(ctx, s.bootstrap, r.topic, 1), writeLines(connector["file"], data))
	case o.Rate > 0:
		r.topic = r.name + "-in"
		connector["topics"], connector["file"] = r.topic, r.file(j)
		return errors.Join(recreate(ctx, s.bootstrap, r.topic, 1), os.WriteFile(connector["file"], nil, 0o600))
	}
	r.topic = data.Topic()
	connector["topics"] = r.topic
	return s.generate(ctx, data)
}

// connectWorker is the process that is measured. Kafka's has the memory that its own script gives it.
func (s *Session) connectWorker(o ConnectOptions, files []string) *exec.Cmd {
	if o.Worker == "kafka-connect" {
		return exec.Command("java", append([]string{
			"-Xms256M", "-Xmx2G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-cp", filepath.Join(o.Baseline, "*"),
			"org.apache.kafka.connect.cli.ConnectStandalone",
		}, files...)...)
	}
	return exec.Command(s.self, append([]string{"connect", "standalone"}, files...)...)
}

func writeProperties(path string, props map[string]string) error {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(props)) {
		fmt.Fprintf(&b, "%s=%s\n", k, props[k])
	}
	return os.WriteFile(path, []byte(b.String()), 0o600)
}

// writeLines writes the values of a data set as lines.
func writeLines(path string, data DataSet) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	err = data.each(func(_, value []byte, _ int64) {
		_, _ = w.Write(append(value, '\n')) // Flush tells
	})
	return errors.Join(err, w.Flush(), f.Close())
}

// await asks until the answer is yes.
func (r *connectRun) await(ctx context.Context, ask func(context.Context) (bool, error)) error {
	for {
		yes, err := ask(ctx)
		if yes || err != nil {
			return err
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
		select {
		case <-r.ended:
			return errors.New("the worker ended")
		default:
		}
	}
}

// running tells whether the task runs.
func (r *connectRun) running(ctx context.Context) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/connectors/"+r.name+"/status", nil)
	if err != nil {
		return false, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, nil // it does not listen yet
	}
	defer resp.Body.Close()
	var status struct {
		Tasks []struct{ State, Trace string }
	}
	if json.NewDecoder(resp.Body).Decode(&status) != nil || len(status.Tasks) == 0 {
		return false, nil
	}
	if status.Tasks[0].State == "FAILED" {
		return false, errors.New(status.Tasks[0].Trace)
	}
	return status.Tasks[0].State == "RUNNING", nil
}

// done tells whether a source has written everything, or a sink committed it.
func (r *connectRun) done(ctx context.Context, j connectJob, records int64) (bool, error) {
	if j.source {
		ends, err := r.adm.ListEndOffsets(ctx, r.topic)
		if err != nil {
			return false, err
		}
		end, _ := ends.Lookup(r.topic, 0)
		return end.Offset >= records, end.Err
	}
	offsets, err := r.adm.FetchOffsets(ctx, "connect-"+r.name)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	at, ok := offsets.Lookup(r.topic, 0)
	return ok && at.At >= records, nil
}
