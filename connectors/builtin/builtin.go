// Package builtin lists the plugins that every worker has.
package builtin

import (
	"slices"

	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/converters"
	"github.com/wasmstream/wasmstream/connectors/converters/registry"
	"github.com/wasmstream/wasmstream/connectors/datagen"
	"github.com/wasmstream/wasmstream/connectors/file"
	"github.com/wasmstream/wasmstream/connectors/http"
	"github.com/wasmstream/wasmstream/connectors/transforms"
	"github.com/wasmstream/wasmstream/connectors/verify"
)

// Plugins is a table of all of them, to which more may be added.
func Plugins() *connectors.Plugins {
	return connectors.NewPlugins(slices.Concat(file.Plugins(), datagen.Plugins(), http.Plugins(), verify.Plugins(), converters.Plugins(), registry.Plugins(), transforms.Plugins())...)
}
