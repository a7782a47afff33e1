package host

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/wasmstream/wasmstream/host/wasm"
	"github.com/wasmstream/wasmstream/internal/errs"
)

const (
	// quiet is how long a file must not change before it is read: compilers write in pieces.
	quiet = 150 * time.Millisecond
	// patience is how long a file may stay a broken module before that is told: a slow compiler pauses between pieces.
	patience = 2 * time.Second
)

// watch replaces modules whose files change, until ctx is done. It watches folders, not files, because most tools write
// a new file and rename it over the old one.
func (h *Host) watch(ctx context.Context) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer w.Close()
	names, err := h.watched(w)
	if err != nil {
		return err
	}
	changed := map[string]time.Time{} // since when
	settle := time.NewTimer(time.Hour)
	defer settle.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-w.Errors:
			return fmt.Errorf("reading changes of files: %w", err)
		case e := <-w.Events:
			if name, ok := names[absolute(e.Name)]; ok && !e.Has(fsnotify.Remove) {
				if _, known := changed[name]; !known {
					changed[name] = time.Now()
				}
				settle.Reset(quiet)
			}
		case <-settle.C:
			if h.reloadChanged(ctx, changed); len(changed) > 0 {
				settle.Reset(quiet)
			}
		}
	}
}

// reloadChanged replaces the modules whose files are whole and takes them out of changed. What goes wrong is told to
// the log and the listener; the next change of the file tries again.
func (h *Host) reloadChanged(ctx context.Context, changed map[string]time.Time) {
	for _, name := range slices.Sorted(maps.Keys(changed)) {
		if h.halfWritten(name) && time.Since(changed[name]) < patience {
			continue
		}
		delete(changed, name)
		_ = h.reloadFile(ctx, name)
	}
}

// halfWritten tells whether the file does not read as a module, which a moment later it may.
func (h *Host) halfWritten(name string) bool {
	data, err := wasm.ReadFile(h.cfg.Modules[name].Path)
	if err != nil {
		return true
	}
	_, err = wasm.Inspect(name, data)
	return errs.ModuleNotWasm.Is(err) || errs.ModuleMalformed.Is(err)
}

// watched adds the folders of all modules to w and returns the modules by file.
func (h *Host) watched(w *fsnotify.Watcher) (map[string]string, error) {
	names := map[string]string{}
	for name, m := range h.cfg.Modules {
		if m.Path == "" {
			continue
		}
		path := absolute(m.Path)
		names[path] = name
		if err := w.Add(filepath.Dir(path)); err != nil {
			return nil, fmt.Errorf("watching %s: %w", filepath.Dir(path), err)
		}
	}
	return names, nil
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
