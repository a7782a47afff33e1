package connectorconfig

import (
	"github.com/wasmstream/wasmstream/connectors"
	"github.com/wasmstream/wasmstream/connectors/config"
)

// restartKeys are settings of a connector that it has of the worker unless it says otherwise; Kafka has none of them.
func restartKeys() []config.Key {
	return []config.Key{
		{Name: "restart.policy", Type: config.String, Nullable: true, Validator: unlessNull(config.OneOf("on-failure", "none")), Importance: config.Low},
		{Name: "restart.backoff.ms", Type: config.Long, Nullable: true, Validator: unlessNull(config.AtLeast(0)), Importance: config.Low},
		{Name: "restart.backoff.max.ms", Type: config.Long, Nullable: true, Validator: unlessNull(config.AtLeast(0)), Importance: config.Low},
		{Name: "restart.limit", Type: config.Int, Nullable: true, Validator: unlessNull(config.AtLeast(0)), Importance: config.Low},
	}
}

func unlessNull(c config.Check) config.Check {
	return func(name string, value any) error {
		if value == nil {
			return nil
		}
		return c(name, value)
	}
}

// Restart reads what a connector says of restarts; what it does not say is null.
func Restart(props config.Props) (config.Values, error) {
	return config.NewDef(restartKeys()...).Parse(props)
}

// checkOwn checks the settings that Kafka's connectors have not: of restarts, and of a source's dead letters. They show among the
// answers only where they are wrong.
func checkOwn(kind connectors.Kind, props config.Props, values map[string]*config.Value) {
	keys := restartKeys()
	if kind == connectors.KindSource {
		keys = append(keys, deadLetterKeys()...)
	}
	for _, v := range config.NewDef(keys...).Validate(props) {
		for _, message := range v.Errors {
			add(values, v.Name, message)
		}
	}
}
