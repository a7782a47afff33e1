package guest

import (
	"net/netip"
	"time"

	"github.com/wasmstream/wasmstream/connectors/config"
	"github.com/wasmstream/wasmstream/host/wasm"
)

// workerDef are the settings of a worker that are about modules.
func workerDef() *config.Def {
	limits := wasm.DefaultLimits()
	memory := config.Key{
		Name: "wasm.memory.max.bytes", Type: config.Long, Default: int64(limits.MemoryBytes), Validator: config.Between(64<<10, wasm.MaxMemoryBytes), Importance: config.Low,
		Doc: "The memory of one instance, in pages of 64 KiB.",
	}
	long := func(name string, value int64, doc string) config.Key {
		return config.Key{Name: name, Type: config.Long, Default: value, Validator: config.AtLeast(1), Importance: config.Low, Doc: doc}
	}
	list := func(name string, check config.Validator, doc string) config.Key {
		return config.Key{Name: name, Type: config.List, Default: []string{}, Validator: check, Importance: config.Medium, Doc: doc}
	}
	return config.NewDef(
		list("plugin.path", nil, "Folders and files in which modules (*.wasm) are found."),
		config.Key{Name: "wasm.cache.dir", Type: config.String, Default: "", Importance: config.Low, Doc: "Where compiled modules are kept; the user's cache folder when empty, none when it is \"off\"."},
		long("wasm.call.timeout.ms", limits.Wall.Milliseconds(), "The longest that one call of a module may take, requests to the network not counted."),
		long("wasm.fuel.max", int64(limits.FuelMax), "The most work of one call, in instructions."),
		long("wasm.fuel.per.byte", int64(limits.FuelPerByte), "Work that a call may use for each byte it is given."),
		long("wasm.fuel.per.frame", int64(limits.FuelPerFrame), "Work that any call may use."),
		long("wasm.fuel.per.record", int64(limits.FuelPerRecord), "Work that a call may use for each record it is given."),
		memory,
		list("wasm.egress.allow", checkPlaces, "Places that connectors in modules may reach, as HOST:PORT; HOST alone is port 443 by https, *.HOST any name below it."),
		list("wasm.egress.networks", checkNetworks, "Ranges of addresses, as 10.1.0.0/16, that they may reach although they are not public."),
		long("wasm.egress.timeout.ms", defaultTimeout.Milliseconds(), "The longest that one request may take, with its answer."),
		long("wasm.egress.request.max.bytes", defaultRequestBytes, "The largest request."),
		long("wasm.egress.response.max.bytes", defaultAnswerBytes, "The largest answer."),
		long("wasm.egress.concurrency", defaultConcurrency, "How many requests run at once, of all connectors of the worker together."),
	)
}

var checkPlaces config.Check = func(name string, value any) error {
	list, _ := value.([]string)
	for _, entry := range list {
		if _, err := parsePlace(entry); err != nil {
			return config.Invalid(name, entry, err.Error())
		}
	}
	return nil
}

var checkNetworks config.Check = func(name string, value any) error {
	list, _ := value.([]string)
	for _, entry := range list {
		if _, err := netip.ParsePrefix(entry); err != nil {
			return config.Invalid(name, entry, "it is no range of addresses, as 10.1.0.0/16")
		}
	}
	return nil
}

// ReadConfig reads what the settings of a worker say about modules. The error tells every fault, one in a line.
func ReadConfig(worker config.Props) (Config, error) {
	v, err := workerDef().ParseAll(worker)
	if err != nil {
		return Config{}, err
	}
	c := Config{Paths: v.List("plugin.path"), Wasm: wasm.DefaultConfig()}
	c.Wasm.CacheDir = wasm.CacheDir(v.String("wasm.cache.dir"))
	l := &c.Wasm.Limits
	l.Wall = time.Duration(v.Int("wasm.call.timeout.ms")) * time.Millisecond
	l.FuelMax, l.FuelPerByte = uint64(v.Int("wasm.fuel.max")), uint64(v.Int("wasm.fuel.per.byte"))
	l.FuelPerFrame, l.FuelPerRecord = uint64(v.Int("wasm.fuel.per.frame")), uint64(v.Int("wasm.fuel.per.record"))
	l.MemoryBytes = uint64(v.Int("wasm.memory.max.bytes"))
	if err := c.Wasm.Validate(); err != nil {
		return Config{}, config.Exception(err.Error())
	}
	c.Egress = EgressConfig{
		Allow: v.List("wasm.egress.allow"), Timeout: time.Duration(v.Int("wasm.egress.timeout.ms")) * time.Millisecond,
		RequestBytes: int(v.Int("wasm.egress.request.max.bytes")), AnswerBytes: int(v.Int("wasm.egress.response.max.bytes")), Concurrency: int(v.Int("wasm.egress.concurrency")),
	}
	for _, entry := range v.List("wasm.egress.networks") {
		prefix, err := netip.ParsePrefix(entry)
		if err != nil {
			return Config{}, err
		}
		c.Egress.Networks = append(c.Egress.Networks, prefix.Masked())
	}
	return c, nil
}
