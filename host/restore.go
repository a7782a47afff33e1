package host

import (
	"time"

	"github.com/wasmstream/wasmstream/host/stream"
)

// StateRestoreListener hears how stores are restored before their tasks run: Kafka's interface of that name.
type StateRestoreListener = stream.StateRestoreListener

// StandbyUpdateListener hears how standby tasks follow their changelogs: Kafka's interface of that name (KIP-988).
type StandbyUpdateListener = stream.StandbyUpdateListener

// RestoreProgress is how far one store is on its way to the end of its changelog, or, as a standby, behind it.
type RestoreProgress = stream.RestoreProgress

// RestoreSummary is how much there is to restore in all, how fast it goes, and how long it will take.
type RestoreSummary = stream.RestoreSummary

// RestoreProgress lists the stores that are restored now, or kept as standbys.
func (h *Host) RestoreProgress() []RestoreProgress {
	if app := h.application(); app != nil {
		return app.RestoreProgress()
	}
	return nil
}

// Restoring sums up what has to be restored before the application runs. Stores is 0 when there is nothing.
func (h *Host) Restoring() RestoreSummary {
	return stream.SumRestores(h.RestoreProgress(), time.Now())
}
