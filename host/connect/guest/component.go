package guest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// component is a plugin of one task: a component of a module, with settings. It belongs to one goroutine at a time, but
// for prepare and handOver.
type component struct {
	module *module
	spec   abi.Component // as it was when the plugin was made
	limits wasm.Limits
	log    *slog.Logger
	// open is the open frame, settings what config_get answers.
	open     []byte
	settings map[string]string
	offsets  func(partition []byte) ([]byte, int32)
	egress   func(ctx context.Context, request []byte) ([]byte, int32)

	rate wasm.LogRate // of all instances, one after the other
	live *instance
	// holds: the instance keeps records until it is flushed, and must not be replaced before.
	holds bool
	next  atomic.Pointer[instance] // of a newer version, to be taken over before the next call
	// closed keeps an instance that is handed over too late from being forgotten.
	closed atomic.Bool
}

// instance is a running guest with the component opened, and what was told to it.
type instance struct {
	version *version
	wasm    *wasm.Instance
	handle  int32
	host    *surroundings
	enc     encoder
	dec     decoder
	spec    *abi.Component
	reader  abi.Reader
	topics  []string
}

// extra are the keys of an open frame that are those of one plugin.
type extra struct{ connector, task, node, direction string }

// start makes the open frame and the first instance.
func (c *component) start(props config.Props, x extra) error {
	c.settings = guestSettings(&c.spec, props)
	c.open = openFrame(c.spec.Name, c.settings, x)
	ctx := context.Background()
	v, err := c.module.add(ctx, c)
	if err != nil {
		return fault.Config.New(err.Error()).Because(err)
	}
	in, err := c.prepare(ctx, v)
	if err != nil {
		err = errors.Join(err, c.module.remove(c))
		return fault.Config.New(err.Error()).Because(err)
	}
	c.live = in
	return nil
}

// guestSettings are the settings that a guest sees: those of its ConfigDef with defaults, and whatever else is given. A
// secret is only seen by its name.
func guestSettings(spec *abi.Component, props config.Props) map[string]string {
	out := props.Map()
	for _, s := range spec.Config {
		if _, given := out[s.Name]; !given && s.HasDefault {
			out[s.Name] = s.Default
		}
		if _, given := out[s.Name]; given && s.Type == string(config.Password) {
			out[s.Name] = secretWord(s.Name)
		}
	}
	return out
}

func openFrame(name string, settings map[string]string, x extra) []byte {
	frame, n := abi.AppendOpenHeader(nil), 0
	add := func(key, value string) {
		frame = abi.AppendPair(frame, key, value)
		n++
	}
	add(abi.OpenComponent, name)
	add(abi.OpenApplicationID, x.connector)
	add(abi.OpenTaskID, "0_"+x.task)
	add(abi.OpenNode, x.node)
	add(abi.OpenMode, abi.ModeNormal)
	add(abi.OpenEpoch, "0")
	add(abi.OpenConnector, x.connector)
	add(abi.OpenTask, x.task)
	if x.direction != "" {
		add(abi.OpenDirection, x.direction)
	}
	for _, key := range config.PropsOf(settings).Names() {
		add(abi.OpenConfigPrefix+key, settings[key])
	}
	abi.FinishOpen(frame, 0, n)
	return frame
}

// prepare makes an instance of a version, of which it takes a reference over or gives it back.
func (c *component) prepare(ctx context.Context, v *version) (in *instance, err error) {
	host := &surroundings{log: c.log.With("module", c.module.name, "component", c.spec.Name), rate: &c.rate, config: c.settings, offsets: c.offsets, egress: c.egress}
	in = &instance{version: v, host: host, enc: newEncoder()}
	in.dec = newDecoder(&in.enc)
	manifest := v.Manifest()
	if in.spec = manifest.Component(c.spec.Name); in.spec == nil || in.spec.Kind != c.spec.Kind {
		return nil, errors.Join(errs.GuestOpen.New(c.module.name, "the module has no "+string(c.spec.Kind)+" "+c.spec.Name, ""), v.release())
	}
	if in.wasm, err = v.Instantiate(ctx, host, c.limits); err != nil {
		return nil, errors.Join(wasm.Coded(c.module.name, err), v.release())
	}
	if in.handle, err = in.wasm.Open(c.open); err != nil {
		text := host.blame.message
		in.wasm.Close()
		if text != "" {
			err = errs.GuestOpen.New(c.module.name, "component "+c.spec.Name+" refuses its settings: "+text, "")
		}
		return nil, errors.Join(wasm.Coded(c.module.name, err), v.release())
	}
	return in, nil
}

// handOver gives the component an instance of a newer version. Any goroutine may call it.
func (c *component) handOver(in *instance) {
	if c.spec.Kind == abi.Source {
		// It was opened with the offsets of then, and the source goes on meanwhile: the task opens another one when it is
		// between two polls (ready).
		_ = in.close(abi.CloseStop)
		return
	}
	if unused := c.next.Swap(in); unused != nil {
		_ = unused.close(abi.CloseUpgrade)
	}
	if c.closed.Load() {
		if late := c.next.Swap(nil); late != nil {
			_ = late.close(abi.CloseStop)
		}
	}
}

// ready is the instance for the next call: that of a newer version if there is one, once the old one holds nothing back,
// and a fresh one in place of one that died.
func (c *component) ready() (*instance, error) {
	if c.holds && c.live != nil {
		return c.live, nil
	}
	if next := c.next.Swap(nil); next != nil {
		if c.live != nil {
			if err := c.live.close(abi.CloseUpgrade); err != nil {
				c.log.Warn("closing a replaced guest", "module", c.module.name, "error", err)
			}
		}
		c.live = next
	}
	if c.live != nil && (c.live.enc.full() || c.live.version != c.module.running()) {
		_ = c.live.close(abi.CloseUpgrade)
		c.live = nil
	}
	if c.live == nil {
		v := c.module.use()
		if v == nil {
			return nil, fault.IllegalState.New("the plugin is closed") // while it is not, its module runs
		}
		in, err := c.prepare(context.Background(), v)
		if err != nil {
			return nil, err
		}
		c.live = in
	}
	return c.live, nil
}

// close ends the component. It can be called twice.
func (c *component) close() error {
	if c == nil || c.closed.Swap(true) {
		return nil
	}
	err := c.module.remove(c)
	if c.live != nil {
		err = errors.Join(err, c.live.close(abi.CloseStop))
		c.live = nil
	}
	if next := c.next.Swap(nil); next != nil {
		err = errors.Join(err, next.close(abi.CloseStop))
	}
	return err
}

// close closes the handle, the instance, and gives the version back.
func (in *instance) close(reason int32) error {
	if in.wasm.Err() == nil {
		_ = in.wasm.CloseHandle(in.handle, reason) // its answer does not matter, and a trap is the end either way
	}
	in.wasm.Close()
	return in.version.release()
}

// failed settles a call that failed: an instance that died is dropped, and so is one whose answer breaks the contract.
// where names the record or frame. A retriable error is one in Connect's sense.
func (c *component) failed(in *instance, err error, where string) error {
	if frame, ok := errors.AsType[*abi.FrameError](err); ok {
		c.drop(in)
		return broken(errs.GuestContract.New(where, "the answer of "+c.name()+" does not keep the contract: "+frame.Error(), ""))
	}
	if trap, ok := errors.AsType[*wasm.TrapError](err); ok {
		c.drop(in)
		return broken(trap.Coded(where))
	}
	if refused, ok := errors.AsType[*wasm.CallError](err); ok {
		text := in.host.blame.message
		if text == "" {
			text = refused.Error()
		}
		class := in.host.blame.class
		if errors.Is(refused, abi.Retry) {
			class = abi.ClassRetry
		}
		return reported(class, where, c.name(), text)
	}
	return err
}

func (c *component) drop(in *instance) {
	if c.live == in {
		_ = in.close(abi.CloseFailed)
		c.live, c.holds = nil, false
	}
}

// name is the component as settings name it.
func (c *component) name() string { return className(c.module.name, c.spec.Name) }

// said is the error record rec, by which the guest gives a record up.
func (c *component) said(rec *abi.Record, where string) error {
	return reported(abi.Class(rec.Dest), where, c.name(), printable(rec.Value))
}

// broken is a coded error, of a guest or about one, as Connect knows errors; its text begins with the code.
func broken(coded error) error { return fault.Connect.New(coded.Error()).Because(coded) }

// reported is what a guest itself says is wrong.
func reported(class abi.Class, where, name, text string) error {
	coded := errs.GuestError.New(where, name+": "+text, "correct what it names, or the module; with errors.tolerance=all records that a plugin refuses are set apart")
	if class == abi.ClassRetry {
		return fault.Retriable.New(coded.Error()).Because(coded)
	}
	return broken(coded)
}

// printable is text of a guest on one line.
func printable(b []byte) string {
	const most = 2000
	text := strings.ToValidUTF8(string(bytes.TrimSpace(b[:min(len(b), most)])), "�")
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}
