package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/errs"
	"github.com/wasmstream/wasmstream/topology"
)

func timeOf(milliseconds int64) time.Time { return time.UnixMilli(milliseconds) }

// printer appends records to an output in one of its forms. It reuses its buffer and belongs to one goroutine.
type printer struct {
	key, value topology.Serde
	parts      []part // nil: one JSON object a line
	buf        []byte
}

// part is a piece of a format: text, or what a verb stands for.
type part struct {
	text string
	verb byte // 0 for text
}

// parseFormat reads a format of consume: %k key, %v value, %t timestamp in milliseconds, %d the same as a date, %p
// partition, %o offset, %h headers, %T topic, %% a percent sign; \n, \t, \r, \0, \\ and \xHH as in Go.
func parseFormat(format string) ([]part, error) {
	unescaped, err := strconv.Unquote(`"` + strings.NewReplacer(`"`, `\"`, "\n", `\n`, `\0`, `\x00`).Replace(format) + `"`)
	if err != nil {
		return nil, errs.CLIUsage.New("--format", fmt.Sprintf("a backslash sequence is not known in %q", format), `write \n, \t, \r, \0, \\ or \xHH`)
	}
	var parts []part
	for unescaped != "" {
		text, rest, found := strings.Cut(unescaped, "%")
		if text != "" {
			parts = append(parts, part{text: text})
		}
		if !found {
			break
		}
		if rest == "" || !strings.ContainsRune("kvtdpohT%", rune(rest[0])) {
			return nil, errs.CLIUsage.New("--format", fmt.Sprintf("a verb is not known in %q", format), "write %k, %v, %t, %d, %p, %o, %h, %T or %%")
		}
		parts = append(parts, part{verb: rest[0]})
		unescaped = rest[1:]
	}
	return parts, nil
}

// line is the record in the printer's form; the bytes are borrowed until the next call.
func (p *printer) line(r *kgo.Record) ([]byte, error) {
	p.buf = p.buf[:0]
	if p.parts == nil {
		return p.json(r)
	}
	for _, part := range p.parts {
		if part.verb == 0 {
			p.buf = append(p.buf, part.text...)
			continue
		}
		if err := p.verb(part.verb, r); err != nil {
			return nil, at(coordinates(r), typeOfBytes(flagOfVerb(part.verb)), err)
		}
	}
	return p.buf, nil
}

func (p *printer) verb(verb byte, r *kgo.Record) (err error) {
	switch verb {
	case 'k':
		p.buf, err = topology.AppendText(p.buf, p.key, r.Key)
	case 'v':
		p.buf, err = topology.AppendText(p.buf, p.value, r.Value)
	case 't':
		p.buf = strconv.AppendInt(p.buf, r.Timestamp.UnixMilli(), 10)
	case 'd':
		p.buf = r.Timestamp.UTC().AppendFormat(p.buf, "2006-01-02T15:04:05.000Z")
	case 'p':
		p.buf = strconv.AppendInt(p.buf, int64(r.Partition), 10)
	case 'o':
		p.buf = strconv.AppendInt(p.buf, r.Offset, 10)
	case 'h':
		p.buf, err = appendHeaders(p.buf, r.Headers)
	case 'T':
		p.buf = append(p.buf, r.Topic...)
	case '%':
		p.buf = append(p.buf, '%')
	}
	return err
}

func appendHeaders(dst []byte, headers []kgo.RecordHeader) (_ []byte, err error) {
	for i, h := range headers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, h.Key...), '=')
		if dst, err = topology.AppendText(dst, topology.Bytes, h.Value); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// jsonRecord is a record of consume -o json; its names are a contract.
type jsonRecord struct {
	Topic     string          `json:"topic"`
	Partition int32           `json:"partition"`
	Offset    int64           `json:"offset"`
	Timestamp int64           `json:"timestamp"`
	Headers   []jsonHeader    `json:"headers"`
	Key       json.RawMessage `json:"key"`
	Value     json.RawMessage `json:"value"`
}

type jsonHeader struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

func (p *printer) json(r *kgo.Record) ([]byte, error) {
	out := jsonRecord{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(), Headers: []jsonHeader{}}
	var err error
	if out.Key, err = jsonValue(p.key, r.Key); err != nil {
		return nil, at(coordinates(r), typeOfBytes("--key"), err)
	}
	if out.Value, err = jsonValue(p.value, r.Value); err != nil {
		return nil, at(coordinates(r), typeOfBytes("--value"), err)
	}
	for _, h := range r.Headers {
		value, err := jsonValue(topology.Bytes, h.Value)
		if err != nil {
			return nil, at(coordinates(r), typeOfBytes("--value"), err)
		}
		out.Headers = append(out.Headers, jsonHeader{h.Key, value})
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err = enc.Encode(out)
	return b.Bytes(), err
}

// jsonValue is data as JSON: numbers and booleans as such, JSON as it is, all else as a string, null as null.
func jsonValue(s topology.Serde, data []byte) (json.RawMessage, error) {
	if data == nil {
		return json.RawMessage("null"), nil
	}
	text, err := topology.AppendText(nil, s, data)
	if err != nil {
		return nil, err
	}
	switch s.Name() {
	case "string", "bytes", "uuid":
	default:
		if json.Valid(text) { // NaN and infinities are not
			return text, nil
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err = enc.Encode(string(text))
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// flagOfVerb is the flag that names the type which a verb prints.
func flagOfVerb(verb byte) string {
	if verb == 'k' {
		return "--key"
	}
	return "--value"
}

// typeOfBytes is the remedy for bytes that are not of the type a flag names.
func typeOfBytes(flag string) string {
	return "give the type that was written, as in " + flag + " long, or " + flag + " bytes for any"
}

func coordinates(r *kgo.Record) string {
	return fmt.Sprintf("%s-%d@%d", r.Topic, r.Partition, r.Offset)
}
