package connect

import (
	"fmt"

	"github.com/wasmstream/wasmstream/connectors/config"
)

// CheckConfigPartitions refuses a config topic with several partitions: its records would have no order.
func CheckConfigPartitions(topic string, partitions int) error {
	if partitions == 1 {
		return nil
	}
	return config.Exception(fmt.Sprintf("Topic '%s' supplied via the 'config.storage.topic' property is required to have a single partition in order to guarantee consistency of connector configurations, but found %d partitions.", topic, partitions))
}
