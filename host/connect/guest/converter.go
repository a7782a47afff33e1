package guest

import (
	"context"
	"errors"
	"strconv"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/data"
)

// converter is a component of kind converter: opened twice, once for each direction, when that is first needed.
type converter struct {
	plugin
	props   config.Props
	isKey   bool
	to      *component
	from    *component
	started bool
}

// Configure implements connectors.Converter.
func (c *converter) Configure(props config.Props, isKey bool) error {
	c.props, c.isKey, c.started = props.Clone(), isKey, true
	c.props.Set("isKey", strconv.FormatBool(isKey))
	var err error
	c.to, err = c.direction(c.to, abi.ToConnect) // settings that it refuses are told at once
	return err
}

// direction is the component for a direction, opened if it is not yet.
func (c *converter) direction(open *component, direction string) (*component, error) {
	if open != nil {
		return open, nil
	}
	c.c = nil
	err := c.start(c.props, extra{node: c.node(), direction: direction})
	return c.c, err
}

// Close implements connectors.Converter.
func (c *converter) Close() error { return errors.Join(c.to.close(), c.from.close()) }

// ToConnectData implements connectors.Converter.
func (c *converter) ToConnectData(topic string, h connectors.Headers, b []byte) (v data.SchemaAndValue, err error) {
	if c.to, err = c.direction(c.to, abi.ToConnect); err != nil {
		return v, err
	}
	return c.to.toData(topic, nil, h, b)
}

// FromConnectData implements connectors.Converter.
func (c *converter) FromConnectData(dst []byte, topic string, h *connectors.Headers, v data.SchemaAndValue) (out []byte, null bool, err error) {
	if c.from, err = c.direction(c.from, abi.FromConnect); err != nil {
		return dst, false, err
	}
	var headers connectors.Headers
	if h != nil {
		headers = *h
	}
	return c.from.fromData(dst, topic, nil, headers, v)
}

// headerConverter is a component of kind headerConverter.
type headerConverter struct{ converter }

// Configure implements connectors.HeaderConverter.
func (c *headerConverter) Configure(props config.Props) error {
	return c.converter.Configure(props, false)
}

// ToConnectHeader implements connectors.HeaderConverter.
func (c *headerConverter) ToConnectHeader(topic, key string, b []byte) (v data.SchemaAndValue, err error) {
	if c.to, err = c.direction(c.to, abi.ToConnect); err != nil {
		return v, err
	}
	return c.to.toData(topic, []byte(key), nil, b)
}

// FromConnectHeader implements connectors.HeaderConverter.
func (c *headerConverter) FromConnectHeader(dst []byte, topic, key string, v data.SchemaAndValue) (out []byte, null bool, err error) {
	if c.from, err = c.direction(c.from, abi.FromConnect); err != nil {
		return dst, false, err
	}
	return c.from.fromData(dst, topic, []byte(key), nil, v)
}

// toData has bytes turned into data. key is that of a header, nil for whole keys and values.
func (c *component) toData(topic string, key []byte, h connectors.Headers, b []byte) (v data.SchemaAndValue, err error) {
	in, err := c.ready()
	if err != nil {
		return v, err
	}
	frame, err := in.headers(in.one(topic, key, b), abi.FrameHeaderSize, h)
	if err != nil {
		return v, err
	}
	err = c.convert(in, frame, topic, func(answer *abi.Record) error {
		v, err = in.dec.datum(answer.Value, data.SchemaAndValue{})
		return err
	})
	return v, err
}

// fromData has data turned into bytes, appended to dst.
func (c *component) fromData(dst []byte, topic string, key []byte, h connectors.Headers, v data.SchemaAndValue) (out []byte, null bool, err error) {
	in, err := c.ready()
	if err != nil {
		return dst, false, err
	}
	frame := in.one(topic, key, nil)
	keyLen, valueLen := -1, -1
	if key != nil {
		keyLen = len(key)
	}
	if frame, valueLen, err = in.part(frame, v); err != nil {
		return dst, false, err
	}
	abi.FinishParts(frame, abi.FrameHeaderSize, keyLen, valueLen)
	if frame, err = in.headers(frame, abi.FrameHeaderSize, h); err != nil {
		return dst, false, err
	}
	out = dst
	err = c.convert(in, frame, topic, func(answer *abi.Record) error {
		out, null = append(dst, answer.Value...), answer.Value == nil
		return nil
	})
	return out, null, err
}

// one begins a frame with one record for a converter.
func (in *instance) one(topic string, key, value []byte) []byte {
	frame := in.begin(ofRecords)
	return abi.AppendRecord(frame, &abi.Record{Key: key, Value: value, Timestamp: connectors.NoTimestamp, Offset: -1, Partition: -1, Dest: in.topic(topic)})
}

// convert sends a frame of one record and wants one answer.
func (c *component) convert(in *instance, frame []byte, topic string, take func(*abi.Record) error) error {
	frame = in.finish(frame, 1)
	where := "topic " + topic
	var said error
	answers := 0
	err := in.process(context.Background(), frame, 1, func(rec *abi.Record, _ []string) error {
		answers++
		switch {
		case rec.Kind == abi.KindError:
			said = c.said(rec, where)
			return nil
		case rec.Index == abi.NoIndex || rec.Flags&abi.KeepValue != 0 || answers > 1:
			return clause("CONN-3", "a converter answers other than by one record with a value of its own")
		}
		return take(rec)
	})
	switch {
	case err != nil:
		return c.failed(in, err, where)
	case answers == 0:
		return answerError(where, c.name()+" gives no answer")
	}
	return said
}
