package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/internal/kafka"
	"github.com/wasmstream/wasmstream/topology"
)

func produceCommand() *cli.Command {
	return &cli.Command{
		Name: "produce", Usage: "write lines as records", ArgsUsage: "TOPIC [FILE|-]",
		Description: "A line is a value. Lines come from FILE or, without one or with -, from standard input.",
		Flags: append(
			clusterFlags(),
			&cli.StringFlag{Name: "key", Aliases: []string{"k"}, Usage: "`KEY` of all records"},
			&cli.StringFlag{Name: "key-separator", Usage: "what stands before `SEP` in a line is the key"},
			&cli.StringSliceFlag{Name: "header", Aliases: []string{"H"}, Usage: "a header `KEY=VALUE`; may be given several times"},
			&cli.IntFlag{Name: "partition", Value: -1, Usage: "`NUMBER` of the partition; by key otherwise"},
			&cli.Int64Flag{Name: "timestamp", Aliases: []string{"t"}, Value: -1, Usage: "`MILLISECONDS` since 1970 of all records; now otherwise"},
			serdeFlag("key-type", "TYPE that keys are written as"),
			serdeFlag("value-type", "TYPE that values are written as"),
			&cli.StringFlag{Name: "null", Usage: "a value that is exactly `TEXT` is written as null"},
		),
		Action: produce,
	}
}

// serdeFlag is a flag whose value names a serde.
func serdeFlag(name, usage string, aliases ...string) cli.Flag {
	return &cli.StringFlag{Name: name, Aliases: aliases, Value: "string", Usage: strings.Replace(usage, "TYPE", "`TYPE`", 1) + ": " + strings.Join(topology.SerdeNames(), ", ")}
}

func serdeOf(c *cli.Context, flag string) (topology.Serde, error) {
	s, err := topology.SerdeByName(c.String(flag))
	if err != nil {
		return nil, errs.CLIUsage.New("--"+flag, fmt.Sprintf("there is no type %q", c.String(flag)), errs.DidYouMean(c.String(flag), topology.SerdeNames()))
	}
	return s, nil
}

// lineReader turns lines into records as the flags of produce say.
type lineReader struct {
	template   kgo.Record
	key, value topology.Serde
	separator  string
	null       string
	hasNull    bool
}

func produce(c *cli.Context) error {
	if err := wantArgs(c, 1, 2); err != nil {
		return err
	}
	reader, err := newLineReader(c)
	if err != nil {
		return err
	}
	in, name, closeIn, err := input(c)
	if err != nil {
		return err
	}
	defer closeIn()
	client, err := producerFor(c, reader.template.Topic)
	if err != nil {
		return err
	}
	defer client.Close()
	if f, ok := in.(*os.File); ok && errs.IsTerminal(f) {
		fmt.Fprintf(c.App.ErrWriter, "lines go to %s; Ctrl-D ends\n", reader.template.Topic)
	}
	return send(c.Context, client, in, name, reader)
}

func newLineReader(c *cli.Context) (*lineReader, error) {
	if err := atLeast(c, "timestamp", 0); err != nil {
		return nil, err
	}
	if c.IsSet("key-separator") && c.String("key-separator") == "" {
		return nil, errs.CLIUsage.New("--key-separator", "it is empty", "give what stands between key and value, such as :")
	}
	r := &lineReader{separator: c.String("key-separator"), null: c.String("null"), hasNull: c.IsSet("null")}
	var err error
	if r.key, err = serdeOf(c, "key-type"); err != nil {
		return nil, err
	}
	if r.value, err = serdeOf(c, "value-type"); err != nil {
		return nil, err
	}
	r.template = kgo.Record{Topic: c.Args().First(), Partition: int32(c.Int("partition"))}
	if c.IsSet("timestamp") {
		r.template.Timestamp = timeOf(c.Int64("timestamp"))
	}
	if c.IsSet("key") {
		if r.separator != "" {
			return nil, errs.CLIUsage.New("--key", "--key and --key-separator exclude each other", "give one of them")
		}
		if r.template.Key, err = topology.ParseText(r.key, c.String("key")); err != nil {
			return nil, err
		}
	}
	for _, pair := range c.StringSlice("header") {
		k, v, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, errs.CLIUsage.New("--header", fmt.Sprintf("want KEY=VALUE (got %q)", pair), "as in -H trace=1")
		}
		r.template.Headers = append(r.template.Headers, kgo.RecordHeader{Key: k, Value: []byte(v)})
	}
	return r, nil
}

// input is what the second argument names: a file, or standard input.
func input(c *cli.Context) (io.Reader, string, func(), error) {
	path := c.Args().Get(1)
	if path == "" || path == "-" {
		return c.App.Reader, "stdin", func() {}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, "", nil, errs.ConfigFile.New(path, "the file cannot be read", "").WithCause(withoutPath(err))
	}
	return f, path, func() { _ = f.Close() }, nil
}

// producerFor connects and makes sure that topic and partition are there, so that a misspelt name is told at once.
func producerFor(c *cli.Context, topic string) (*kgo.Client, error) {
	props, err := clusterProperties(c)
	if err != nil {
		return nil, err
	}
	var more []kgo.Opt
	if c.Int("partition") >= 0 {
		more = append(more, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	client, err := kafka.Connect(c.Context, kafka.Producer, props, where(c), more...)
	if err != nil {
		return nil, err
	}
	topics, err := kafka.DescribeTopics(c.Context, kadm.NewClient(client), topic)
	if err == nil && c.Int("partition") >= len(topics[0].Partitions) {
		err = errs.CLIUsage.New("--partition", fmt.Sprintf("%s has %s, counted from 0 (got %d)", topic, plural(len(topics[0].Partitions), "partition"), c.Int("partition")), fmt.Sprintf("give a number from 0 to %d", len(topics[0].Partitions)-1))
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// send writes every line of in and waits until all are acknowledged. The first failure ends it.
func send(ctx context.Context, client *kgo.Client, in io.Reader, name string, reader *lineReader) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	lines := make(chan []byte, 64)
	var readErr error
	go func() {
		defer close(lines)
		readErr = readLines(in, func(line []byte) bool {
			select {
			case lines <- line:
				return true
			case <-ctx.Done():
				return false
			}
		})
	}()
	s := &lineSender{client: client, name: name, reader: reader, cancel: cancel}
	n, err := s.sendAll(ctx, lines)
	if flushErr := client.Flush(ctx); err == nil && context.Cause(ctx) == nil {
		err = flushErr
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err == nil && readErr != nil {
		err = errs.ConfigFile.New(fmt.Sprintf("%s:%d", name, n+1), "the line cannot be read", "").WithCause(withoutPath(readErr))
	}
	return withWritten(err, n)
}

// withWritten says how many lines before the bad one were written, so that nobody writes them again.
func withWritten(err error, n int) error {
	var coded *errs.Error
	if !errors.As(err, &coded) {
		return err
	}
	told := *coded
	told.What += fmt.Sprintf(" (%s before it written)", plural(n, "line"))
	return &told
}

// lineSender hands lines to a client. The first that the cluster does not take ends it.
type lineSender struct {
	client  *kgo.Client
	name    string // of the input
	reader  *lineReader
	cancel  context.CancelCauseFunc // its first cause is the failure
	written atomic.Int64
}

// sendAll returns how many lines the client took, and why not the next one.
func (s *lineSender) sendAll(ctx context.Context, lines <-chan []byte) (int, error) {
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return n, nil
		case line, more := <-lines:
			if !more {
				return n, nil
			}
			where := fmt.Sprintf("%s:%d", s.name, n+1)
			record, err := s.reader.record(line, where)
			if err != nil {
				return n, err
			}
			s.client.Produce(ctx, record, func(r *kgo.Record, err error) { s.acknowledge(r, where, err) })
		}
	}
}

func (s *lineSender) acknowledge(r *kgo.Record, where string, err error) {
	switch {
	case err == nil:
		s.written.Add(1)
	case errors.Is(err, kerr.MessageTooLarge):
		s.cancel(errs.RecordTooLarge.New(where, fmt.Sprintf("a record of %d bytes for %s is larger than max.request.size of the client or max.message.bytes of the topic allows (%s written)",
			len(r.Key)+len(r.Value), r.Topic, plural(int(s.written.Load()), "line")), "make the line shorter, or raise both: --property max.request.size=BYTES, and the topic's max.message.bytes"))
	default:
		s.cancel(kafka.Explain(err, where, "writing a record to "+r.Topic))
	}
}

// maxLine bounds a line, far above what a broker takes: input without line ends must not fill the memory.
const maxLine = 64 << 20

var errLongLine = fmt.Errorf("it is longer than %d MiB", maxLine>>20)

// readLine is ReadBytes with that bound.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if line = append(line, part...); len(line) > maxLine {
			return nil, errLongLine
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// readLines calls take for each line, without its end (\n or \r\n), until there are none or take says stop.
func readLines(in io.Reader, take func([]byte) bool) error {
	buffered := bufio.NewReaderSize(in, 64<<10)
	for {
		line, err := readLine(buffered)
		if len(line) > 0 && !take(bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))) {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *lineReader) record(line []byte, where string) (*kgo.Record, error) {
	record := r.template
	value := string(line)
	if r.separator != "" {
		key, rest, ok := strings.Cut(value, r.separator)
		if !ok {
			return nil, errs.RecordFormat.New(where, fmt.Sprintf("the separator %q is not in the line", r.separator), "write KEY"+r.separator+"VALUE")
		}
		encoded, err := topology.ParseText(r.key, key)
		if err != nil {
			return nil, at(where, "write a key of this type before the separator, or name the type of keys with --key-type", err)
		}
		record.Key, value = encoded, rest
	}
	if r.hasNull && value == r.null {
		return &record, nil
	}
	encoded, err := topology.ParseText(r.value, value)
	if err != nil {
		return nil, at(where, "write a value of this type, or name the type of values with --value-type", err)
	}
	record.Value = encoded
	return &record, nil
}

// at puts the place of a line or record before an error that knows only the type, and says what to do there.
func at(where, fix string, err error) error {
	var coded *errs.Error
	if errors.As(err, &coded) {
		moved := *coded
		moved.Where, moved.What, moved.Fix = where, coded.Where+": "+coded.What, fix
		var number *strconv.NumError
		if errors.As(coded.Cause, &number) {
			moved.Cause = number.Err
		}
		return &moved
	}
	return err
}
