package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/wasmstream/wasmstream/abi"
	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
)

// Reloaded is a replacement of a module. Its names in JSON are a contract.
type Reloaded struct {
	Module string `json:"module"`
	Old    string `json:"old_digest"`
	New    string `json:"new_digest"`
	// Seconds from the first byte read to the last task swapped.
	Seconds float64 `json:"seconds"`
}

// Unchanged tells whether the module was the running one already.
func (r Reloaded) Unchanged() bool { return r.Old == r.New }

// Reload replaces a module of the running application by data: it is prepared beside the running one and each task is
// swapped between two transactions. When Reload returns an error the running module goes on. name "" is the only
// module. A module that the application pins by its digest is replaced by none.
func (h *Host) Reload(ctx context.Context, name string, data []byte) (Reloaded, error) {
	return h.reloadFrom(ctx, name, "", data)
}

// reloadFrom is Reload with the file that data was read from, for errors.
func (h *Host) reloadFrom(ctx context.Context, name, file string, data []byte) (Reloaded, error) {
	h.reloading.Lock()
	defer h.reloading.Unlock()
	r, err := h.reload(ctx, name, data)
	if err != nil && file != "" {
		err = InFile(file, err)
	}
	h.tellReload(r, err)
	return r, err
}

// InFile names the file of a module that was refused.
func InFile(file string, err error) error {
	var coded *errs.Error
	if !errors.As(err, &coded) || coded.Where == file || !errs.ReloadRefused.Is(err) && !errs.ReloadFailed.Is(err) && !errs.ModuleDigest.Is(err) {
		return err
	}
	located := *coded
	located.Where, located.What = file, strings.TrimPrefix("the module "+coded.Where+": "+coded.What, "the module : ")
	return &located
}

// tellReload tells the listener, or without one the log.
func (h *Host) tellReload(r Reloaded, err error) {
	switch {
	case h.cfg.ReloadListener != nil:
		h.cfg.ReloadListener(r, err)
	case err != nil:
		h.log.Warn("module not replaced; the running one goes on", "module", r.Module, "err", err)
	case !r.Unchanged():
		h.log.Info("module replaced", "module", r.Module, "old", r.Old, "new", r.New, "seconds", r.Seconds)
	}
}

func (h *Host) reload(ctx context.Context, name string, data []byte) (Reloaded, error) {
	start := time.Now()
	h.mu.Lock()
	app, engine, set := h.mu.app, h.mu.engine, h.mu.set
	h.mu.Unlock()
	if app == nil {
		return Reloaded{Module: name}, errs.ReloadNotReady.New(name, "the application is still starting", "")
	}
	r, module, err := h.replacement(ctx, engine, set, name, data)
	if err != nil {
		app.CountReload(err)
		return r, err
	}
	if r.Unchanged() {
		return r, nil
	}
	name, next := r.Module, set.with(r.Module, module)
	err = app.Upgrade(ctx, next)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		// A wait that was given up half-way may have left tasks with the new module, so it stays until the end.
		h.mu.retired = append(h.mu.retired, module)
		if errs.ReloadRefused.Is(err) || errs.ReloadFailed.Is(err) {
			return r, err
		}
		return r, errs.ReloadFailed.New(name, "the new module cannot be started", "").WithCause(err)
	}
	h.mu.set = next
	r.Seconds = time.Since(start).Seconds()
	return r, set[name].Close()
}

// replacement makes the new module ready; it is nil if it is the old one.
func (h *Host) replacement(ctx context.Context, engine *wasm.Engine, set moduleSet, name string, data []byte) (Reloaded, *wasm.Module, error) {
	name, err := set.resolve(name)
	if err != nil {
		return Reloaded{Module: name}, nil, err
	}
	old := set[name]
	r := Reloaded{Module: name, Old: old.Digest(), New: wasm.Digest(data)}
	if r.Unchanged() {
		return r, nil, nil
	}
	if pinned := h.cfg.Modules[name].Digest; pinned != "" {
		return r, nil, errs.ModuleDigest.New(name, fmt.Sprintf("the application asks for %s and for no other (got %s)", pinned, r.New),
			"write the new digest into the application and start it again, or remove the digest")
	}
	module, err := engine.Compile(ctx, name, data)
	if err != nil {
		return r, nil, errs.ReloadFailed.New(name, "the new module cannot be loaded", "").WithCause(err)
	}
	if err := h.compatible(name, old.Manifest(), module.Manifest(), set.with(name, module)); err != nil {
		return r, nil, errors.Join(err, module.Close())
	}
	return r, module, nil
}

// resolve finds the module that a name means.
func (s moduleSet) resolve(name string) (string, error) {
	names := slices.Sorted(maps.Keys(s))
	switch {
	case s[name] != nil:
		return name, nil
	case name == "" && len(names) == 1:
		return names[0], nil
	case name == "":
		return "", errs.ReloadRefused.New("", fmt.Sprintf("the application has %d modules", len(names)), "name one of "+strings.Join(names, ", "))
	}
	return name, errs.ReloadRefused.New("", fmt.Sprintf("the application has no module %q", name), errs.DidYouMean(name, names))
}

// compatible refuses what would change the meaning of state or results while records are on their way: components in
// use that are gone or of another kind, other stores, other wants, another habit of holding records back.
func (h *Host) compatible(name string, old, now abi.Manifest, next moduleSet) error {
	var differences []string
	for _, use := range h.usesOf(name) {
		before, _ := componentOf(old, use)
		after, ok := componentOf(now, use)
		differences = append(differences, compare(use, before, after, ok)...)
	}
	if err := h.cfg.sameTopology(name, old, now); err != nil {
		return err
	}
	if len(differences) == 0 {
		return errors.Join(h.cfg.checkUses(next)...)
	}
	return errs.ReloadRefused.New(name, "the new module differs from the running one", "").WithDetail(strings.Join(differences, "\n"))
}

// sameTopology refuses a new version of the module that brought the topology along if it brings another one: nodes and
// their state cannot be exchanged while records are on their way.
func (c Config) sameTopology(name string, old, now abi.Manifest) error {
	if name != c.application || name == "" || reflect.DeepEqual(topologyParts(old), topologyParts(now)) {
		return nil
	}
	return errs.ReloadRefused.New(name, "the new module brings another topology", "stop the application and start it with the new module")
}

// topologyParts is what a module's topology says but for what it is called.
func topologyParts(m abi.Manifest) map[string]any {
	parts := map[string]any{}
	if json.Unmarshal(m.Topology, &parts) != nil {
		return nil
	}
	delete(parts, "metadata")
	return parts
}

func compare(use string, before, after abi.Component, ok bool) []string {
	if !ok {
		return []string{use + ": is gone"}
	}
	var differences []string
	if before.Kind != after.Kind {
		differences = append(differences, fmt.Sprintf("%s: kind %s -> %s", use, before.Kind, after.Kind))
	}
	if before.Wants != after.Wants {
		differences = append(differences, fmt.Sprintf("%s: wants %s -> %s", use, listed(before.Wants.Names()), listed(after.Wants.Names())))
	}
	if !slices.Equal(slices.Sorted(slices.Values(before.Stores)), slices.Sorted(slices.Values(after.Stores))) {
		differences = append(differences, fmt.Sprintf("%s: stores %s -> %s", use, listed(before.Stores), listed(after.Stores)))
	}
	if before.Buffers != after.Buffers {
		differences = append(differences, fmt.Sprintf("%s: buffers %v -> %v", use, before.Buffers, after.Buffers))
	}
	return differences
}

func componentOf(m abi.Manifest, name string) (abi.Component, bool) {
	i := slices.IndexFunc(m.Components, func(c abi.Component) bool { return c.Name == name })
	if i < 0 {
		return abi.Component{}, false
	}
	return m.Components[i], true
}

// usesOf are the components of a module that nodes call, sorted.
func (h *Host) usesOf(module string) []string {
	names := map[string]bool{}
	for _, uses := range h.cfg.Topology.Guests() {
		for _, use := range uses {
			if use.Ref.Module == module {
				names[use.Ref.Component] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// SendReload sends the bytes of a module to the admin address of a process, whose application has it as name ("" where it has but
// one), and returns when every task there runs it.
func SendReload(ctx context.Context, addr, name string, data []byte) (r Reloaded, err error) {
	return r, adminRequest{
		client: http.DefaultClient, code: errs.ReloadUnreachable, method: http.MethodPost, url: hostPort(addr) + "/reload?module=" + url.QueryEscape(name),
		contentType: wasmType, body: data, maxAnswer: maxControlAnswer,
		late: "it may still be replaced; the log of the process tells",
	}.do(ctx, &r)
}

// ReloadFiles reads every module's file again and replaces those that changed: what SIGHUP asks for. It goes on after a
// module that is refused and joins the errors.
func (h *Host) ReloadFiles(ctx context.Context) error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(h.cfg.Modules)) {
		if h.cfg.Modules[name].Path != "" {
			faults = append(faults, h.reloadFile(ctx, name))
		}
	}
	return errors.Join(faults...)
}

func (h *Host) reloadFile(ctx context.Context, name string) error {
	data, err := h.cfg.read(name)
	if err != nil {
		if app := h.application(); app != nil {
			app.CountReload(err)
		}
		h.tellReload(Reloaded{Module: name}, err)
		return err
	}
	_, err = h.reloadFrom(ctx, name, h.cfg.Modules[name].Path, data)
	return err
}
