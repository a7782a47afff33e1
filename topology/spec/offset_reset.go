package spec

import (
	"fmt"
	"slices"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// byDuration is Kafka's AutoOffsetReset.byDuration.
var byDuration = []field{{name: "byDuration", form: aDuration, required: true, doc: "How far back from now."}}

// offsetReset is one of Kafka's AutoOffsetReset: earliest, latest, none, or {byDuration: 6h}.
func (d *document) offsetReset(v *value) string {
	switch {
	case v == nil:
		return ""
	case v.kind != mapping:
		reset := d.text(v, "offset reset")
		if reset != "" && !slices.Contains(offsetResets, reset) {
			d.faultAt(errs.YAMLInvalid, v, fmt.Sprintf("unknown offset reset %q", reset), errs.DidYouMean(reset, append(offsetResets, "{byDuration: 6h}")))
			return ""
		}
		return reset
	case !d.fieldsOf(v, "offsetReset", byDuration):
		return ""
	}
	by := d.duration(v, "byDuration")
	if by < 0 {
		d.faultAt(errs.YAMLInvalid, v.get("byDuration"), "AutoOffsetReset.byDuration: the duration cannot be negative", "write byDuration: 6h")
		return ""
	}
	return "by_duration:" + by.String()
}
