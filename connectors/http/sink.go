// Package http sends records to an HTTP service, and polls one for records. The service is the only address that the
// connectors speak to: redirects to other hosts are refused.
package http

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/converters"
	"github.com/wasmstream/wasmstream/connectors/data"
	"github.com/wasmstream/wasmstream/connectors/fault"
)

// SinkConnector has the name and settings of Aiven's HTTP sink.
type SinkConnector struct{ connectors.ManyTasks }

// TaskClass is Aiven's.
func (*SinkConnector) TaskClass() string { return "io.aiven.kafka.connect.http.HttpSinkTask" }

// ConfigDef defines the settings.
func (*SinkConnector) ConfigDef() *config.Def {
	return config.NewDef(append(
		clientKeys(),
		config.Key{Name: "http.method", Type: config.String, Default: "POST", Validator: config.OneOfFold("POST", "PUT", "PATCH"), Importance: config.Medium, Doc: "The method of requests."},
		config.Key{Name: "batching.enabled", Type: config.Boolean, Default: false, Importance: config.High, Doc: "Whether one request carries several records."},
		config.Key{Name: "batch.max.size", Type: config.Int, Default: 500, Validator: config.Between(1, 1_000_000), Importance: config.Medium, Doc: "The most records of one request."},
		config.Key{Name: "batch.prefix", Type: config.String, Default: "", Importance: config.Low, Doc: "Text before the records of a request."},
		config.Key{Name: "batch.suffix", Type: config.String, Nullable: true, Importance: config.Low, Doc: "Text behind the records of a request; a line feed, if it is not set."},
		config.Key{Name: "batch.separator", Type: config.String, Nullable: true, Importance: config.Low, Doc: "Text between the records of a request; a line feed, if it is not set."},
	)...)
}

// clientKeys are those of both connectors.
func clientKeys() []config.Key {
	return []config.Key{
		{Name: "http.url", Type: config.String, Validator: config.Check(checkURL), Importance: config.High, Doc: "The address of the service."},
		{Name: "http.authorization.type", Type: config.String, Default: "none", Validator: config.OneOf("none", "static"), Importance: config.High, Doc: "none, or static: the header of http.headers.authorization is sent."},
		{Name: "http.headers.authorization", Type: config.Password, Nullable: true, Validator: config.Check(checkHeader), Importance: config.Medium, Doc: "The value of the header Authorization."},
		{Name: "http.headers.content.type", Type: config.String, Nullable: true, Validator: config.Check(checkHeader), Importance: config.Low, Doc: "The value of the header Content-Type."},
		{Name: "http.headers.additional", Type: config.List, Default: []string{}, Validator: config.Check(checkHeaders), Importance: config.Low, Doc: "Further headers, as name:value."},
		{Name: "http.timeout", Type: config.Int, Default: 30, Validator: config.AtLeast(1), Importance: config.Low, Doc: "Seconds that a request may take."},
		{Name: "max.retries", Type: config.Int, Default: 1, Validator: config.AtLeast(0), Importance: config.Medium, Doc: "How often a request that failed is sent again before the framework takes over."},
		{Name: "retry.backoff.ms", Type: config.Int, Default: 3000, Validator: config.AtLeast(0), Importance: config.Medium, Doc: "The wait between two tries in milliseconds."},
	}
}

func checkURL(name string, value any) error {
	s, _ := value.(string)
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		// The address may hold a password: it is not repeated.
		return config.Exception("Invalid value for configuration " + name + ": an address with http:// or https:// and a host is needed")
	}
	return nil
}

// checkHeader refuses what would end a header, or the request, in its middle. The value may be a secret: it is not repeated.
func checkHeader(name string, value any) error {
	text, ok := value.(string)
	if secret, hidden := value.(config.Secret); hidden {
		text, ok = string(secret), true
	}
	if ok && strings.ContainsFunc(text, endsHeader) {
		return config.Exception("Invalid value for configuration " + name + ": a header has no line breaks and no other control characters")
	}
	return nil
}

func endsHeader(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// checkHeaders refuses entries that are not name:value. They may be secrets: they are not repeated.
func checkHeaders(name string, value any) error {
	list, _ := value.([]string)
	for _, entry := range list {
		if header, _, ok := strings.Cut(entry, ":"); !ok || !headerName.MatchString(strings.TrimSpace(header)) {
			return config.Exception("Invalid value for configuration " + name + ": a header is written name:value")
		}
		if err := checkHeader(name, entry); err != nil {
			return err
		}
	}
	return nil
}

// headerName is a token of RFC 9110.
var headerName = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$")

// Start checks the settings.
func (c *SinkConnector) Start(_ connectors.ConnectorContext, props config.Props) error {
	c.Props = props
	_, err := c.ConfigDef().Parse(props)
	return err
}

// NewTask makes a task.
func (*SinkConnector) NewTask() connectors.SinkTask { return &sinkTask{} }

// AlterOffsets takes any: nothing of them is kept outside of Kafka.
func (*SinkConnector) AlterOffsets(config.Props, map[connectors.TopicPartition]*int64) (bool, error) {
	return true, nil
}

// client sends requests with tries and headers.
type client struct {
	http    *http.Client
	url     string
	host    string
	headers http.Header
	retries int
	backoff time.Duration
}

func newClient(v config.Values) (*client, error) {
	u, err := url.Parse(v.String("http.url"))
	if err != nil {
		return nil, checkURL("http.url", v.String("http.url"))
	}
	c := &client{url: u.String(), host: u.Host, headers: http.Header{}, retries: v.Int("max.retries"), backoff: time.Duration(v.Int("retry.backoff.ms")) * time.Millisecond}
	c.http = &http.Client{
		Timeout: time.Duration(v.Int("http.timeout")) * time.Second,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if req.URL.Host != c.host || len(via) > 5 {
				return errors.New("a redirect to another host is not followed")
			}
			return nil
		},
	}
	if v.String("http.authorization.type") == "static" {
		c.headers.Set("Authorization", v.Secret("http.headers.authorization"))
	}
	if t := v.String("http.headers.content.type"); t != "" {
		c.headers.Set("Content-Type", t)
	}
	for _, h := range v.List("http.headers.additional") {
		name, value, _ := strings.Cut(h, ":")
		c.headers.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return c, nil
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 32 << 20

// do sends a request until it succeeds or its tries are used up. An answer that says that the request itself is wrong is an
// errRejected; all else that fails is worth another try later.
func (c *client) do(ctx context.Context, method, address string, body []byte) ([]byte, http.Header, error) {
	for try := 0; ; try++ {
		answer, headers, err := c.once(ctx, method, address, body)
		if err == nil || errors.As(err, new(*errRejected)) || try >= c.retries || ctx.Err() != nil {
			return answer, headers, err
		}
		timer := time.NewTimer(c.backoff)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, nil, ctx.Err()
		case <-timer.C:
		}
	}
}

// errRejected is an answer 4xx: the same request will not succeed later. Too many requests and timeouts are none.
type errRejected struct {
	status int
	text   string
}

func (e *errRejected) Error() string {
	return fmt.Sprintf("the service answered %d %s: %s", e.status, http.StatusText(e.status), e.text)
}

func (c *client) once(ctx context.Context, method, address string, body []byte) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, nil, withoutAddress(err)
	}
	req.Header = c.headers.Clone()
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, withoutAddress(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, nil, err
	}
	switch code := resp.StatusCode; {
	case code < 300:
		return answer, resp.Header, nil
	case code >= 400 && code < 500 && code != http.StatusTooManyRequests && code != http.StatusRequestTimeout:
		return nil, nil, &errRejected{status: code, text: clip(answer)}
	default:
		return nil, nil, fmt.Errorf("the service answered %d %s", code, http.StatusText(code))
	}
}

// withoutAddress leaves out the address, which may hold a password.
func withoutAddress(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return fmt.Errorf("the service cannot be reached: %w", u.Err)
	}
	return err
}

func clip(b []byte) string {
	if len(b) > 200 {
		b = b[:200]
	}
	return strings.ToValidUTF8(string(b), "?")
}

// sinkTask sends records in their order.
type sinkTask struct {
	client                    *client
	ctx                       connectors.SinkTaskContext
	method                    string
	batch                     int
	prefix, suffix, separator string
	json                      converters.JSON
	body                      []byte
}

func (t *sinkTask) Start(ctx connectors.SinkTaskContext, props config.Props) error {
	v, err := (&SinkConnector{}).ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	if t.client, err = newClient(v); err != nil {
		return err
	}
	t.ctx, t.method, t.batch = ctx, strings.ToUpper(v.String("http.method")), 1
	if v.Bool("batching.enabled") {
		t.batch = v.Int("batch.max.size")
		t.prefix, t.suffix, t.separator = v.String("batch.prefix"), lineFeed(v, "batch.suffix"), lineFeed(v, "batch.separator")
	}
	return t.json.Configure(config.PropsOf(map[string]string{"schemas.enable": "false"}), false)
}

// lineFeed is a setting, or a line feed: settings are trimmed, so that it cannot be written.
func lineFeed(v config.Values, name string) string {
	if v.Null(name) {
		return "\n"
	}
	return v.String(name)
}

// Put sends all records before it returns: what is put is delivered. A service that cannot be reached has the batch put
// again; records that it refuses go to the dead letters if there are any, one by one.
func (t *sinkTask) Put(ctx context.Context, records []connectors.SinkRecord) error {
	for len(records) > 0 {
		n := min(t.batch, len(records))
		if err := t.send(ctx, records[:n]); err != nil {
			return err
		}
		records = records[n:]
	}
	return nil
}

func (t *sinkTask) send(ctx context.Context, records []connectors.SinkRecord) error {
	t.body = append(t.body[:0], t.prefix...)
	for i := range records {
		if i > 0 {
			t.body = append(t.body, t.separator...)
		}
		var err error
		if t.body, err = t.appendValue(t.body, records[i].Value); err != nil {
			return t.refused(ctx, &records[i], err)
		}
	}
	t.body = append(t.body, t.suffix...)
	_, _, err := t.client.do(ctx, t.method, t.client.url, t.body)
	var rejected *errRejected
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &rejected):
		return fault.Retriable.Errorf("sending %d records: %w", len(records), err)
	case len(records) == 1:
		return t.refused(ctx, &records[0], err)
	}
	for i := range records {
		if err := t.send(ctx, records[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// refused reports a record that will never be taken.
func (t *sinkTask) refused(ctx context.Context, r *connectors.SinkRecord, cause error) error {
	errant := t.ctx.Errant()
	if errant == nil {
		return fault.Connect.Errorf("sending the record of %s-%d@%d: %w", r.OriginalTopic, r.OriginalPartition, r.OriginalOffset, cause)
	}
	return errant.Report(r, cause)(ctx)
}

// appendValue writes text and bytes as they are, all else as JSON.
func (t *sinkTask) appendValue(dst []byte, v data.SchemaAndValue) ([]byte, error) {
	switch v.Value.Type() {
	case data.TypeString:
		return append(dst, v.Value.Str()...), nil
	case data.TypeBytes:
		return append(dst, v.Value.Bytes()...), nil
	case data.TypeNull:
		return dst, fault.Data.New("Record value must not be null")
	}
	out, _, err := t.json.FromConnectData(dst, "", nil, v)
	return out, err
}

func (*sinkTask) Flush(context.Context, map[connectors.TopicPartition]int64) error { return nil }

func (t *sinkTask) Stop() error {
	if t.client != nil {
		t.client.http.CloseIdleConnections()
	}
	return nil
}
