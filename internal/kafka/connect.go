package kafka

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// pingTimeout is how long all bootstrap servers together may take to answer the first request: a person waits for it.
const pingTimeout = 5 * time.Second

// Connect makes a client and asks a broker for metadata once, so that a wrong address is an error with a remedy after
// a few seconds, not an endless retry later. where names the place of the properties in errors. Options in more win
// over the properties. The caller closes the client.
func Connect(ctx context.Context, kind Kind, props Properties, where string, more ...kgo.Opt) (*kgo.Client, error) {
	opts, err := Options(kind, props, where)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(append(opts, more...)...)
	if err != nil {
		return nil, errs.ConfigInvalid.New(where, "the Kafka client refuses its properties", "").WithCause(err)
	}
	if err := Ping(ctx, client, props); err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// ConnectAdmin is Connect for an admin client; closing the kadm client closes the other.
func ConnectAdmin(ctx context.Context, props Properties, where string) (*kadm.Client, error) {
	client, err := Connect(ctx, Admin, props, where)
	if err != nil {
		return nil, err
	}
	return kadm.NewClient(client), nil
}

// Ping asks any broker for metadata and explains why none answers.
func Ping(ctx context.Context, client *kgo.Client, props Properties) error {
	return ping(ctx, client, props, pingTimeout)
}

func ping(ctx context.Context, client *kgo.Client, props Properties, timeout time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errNoAnswer)
	defer cancel()
	// The first request on a connection does not heed its context; who closes the client ends it.
	answer := make(chan error, 1)
	go func() { answer <- client.Ping(ctx) }()
	var err error
	select {
	case err = <-answer:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errNoAnswer) {
		return cause
	}
	var broker *kerr.Error
	var coded *errs.Error // the certificate that the broker asks for
	if errors.As(err, &broker) || errors.As(err, &coded) {
		return Explain(err, props.where(), "asking for metadata")
	}
	return unreachable(props, err)
}

var errNoAnswer = errors.New("no answer in time")

func unreachable(props Properties, cause error) error {
	if errors.Is(cause, context.DeadlineExceeded) {
		cause = errNoAnswer
	}
	if errors.Is(cause, io.EOF) {
		cause = errors.New("the broker closed the connection")
		if strings.HasPrefix(strings.ToUpper(props["security.protocol"]), "SASL") {
			return errs.KafkaAuthentication.New(props.where(), "authenticating", "").WithCause(cause)
		}
		return errs.KafkaUnreachable.New(props.where(), "a broker answers, but not to security.protocol "+protocolOf(props), "set security.protocol to what its listener speaks: SSL, SASL_SSL or SASL_PLAINTEXT").WithCause(cause)
	}
	return errs.KafkaUnreachable.New(props.where(), "no broker answers", "start one with `wasmstream broker`, or correct bootstrap.servers / --bootstrap-server").WithCause(cause)
}

func protocolOf(props Properties) string {
	if p := props["security.protocol"]; p != "" {
		return p
	}
	return "PLAINTEXT"
}

// Explain turns an error of the cluster or of the way to it into one with a code. where is the address, topic or group
// it is about; doing is what was tried, as a gerund. Errors that have a code already pass, as does nil.
func Explain(err error, where, doing string) error {
	var coded *errs.Error
	if err == nil || errors.As(err, &coded) || errors.Is(err, context.Canceled) {
		return err
	}
	var broker *kerr.Error
	if errors.As(err, &broker) {
		return codeOf(broker).New(where, doing+": "+broker.Message, "").WithCause(described{broker})
	}
	var network net.Error
	if errors.As(err, &network) && !errors.Is(err, context.DeadlineExceeded) {
		return errs.KafkaUnreachable.New(where, doing, "").WithCause(err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errs.RuntimeTimeout.New(where, doing, "")
	}
	return errs.KafkaRequest.New(where, doing, "").WithCause(err)
}

// described is an error of a broker in Kafka's words, without its name.
type described struct{ broker *kerr.Error }

func (d described) Error() string { return d.broker.Description }

func (d described) Unwrap() error { return d.broker }

func codeOf(err *kerr.Error) errs.Code {
	switch err {
	case kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState:
		return errs.KafkaAuthentication
	case kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed,
		kerr.TransactionalIDAuthorizationFailed, kerr.DelegationTokenAuthorizationFailed:
		return errs.KafkaAuthorization
	case kerr.UnsupportedVersion:
		return errs.KafkaUnsupported
	case kerr.UnknownTopicOrPartition, kerr.UnknownTopicID:
		return errs.TopicMissing
	case kerr.TopicAlreadyExists:
		return errs.TopicExists
	case kerr.InvalidTopicException, kerr.InvalidPartitions, kerr.InvalidReplicationFactor,
		kerr.InvalidReplicaAssignment, kerr.InvalidConfig, kerr.PolicyViolation:
		return errs.TopicInvalid
	case kerr.NonEmptyGroup:
		return errs.KafkaGroupActive
	case kerr.MessageTooLarge, kerr.RecordListTooLarge:
		return errs.RecordTooLarge
	case kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.FencedInstanceID:
		return errs.KafkaFenced
	}
	return errs.KafkaRequest
}
