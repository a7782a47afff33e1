package connect

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/wasmstream/wasmstream/connectors/config"
)

// CheckConfigPartitions refuses a config topic with several partitions: its records would have no order.
func CheckConfigPartitions(topic string, partitions int) error {
	if partitions == 1 {
		return nil
	}
	return config.Exception(fmt.Sprintf("Topic '%s' supplied via the 'config.storage.topic' property is required to have a single partition in order to guarantee consistency of connector configurations, but found %d partitions.", topic, partitions))
}

// checkCompacted refuses a topic that was made by others and deletes old records: configurations, offsets and states would be lost with
// them, without a word. A worker that may not read the topic's settings goes on.
func checkCompacted(ctx context.Context, adm *kadm.Client, topic InternalTopic) error {
	all, err := adm.DescribeTopicConfigs(ctx, topic.Name)
	if err != nil {
		return nil //nolint:nilerr // what cannot be asked is not refused
	}
	for _, resource := range all {
		for _, c := range resource.Configs {
			if c.Key == "cleanup.policy" && c.Value != nil && strings.Contains(*c.Value, "delete") {
				return config.Exception(fmt.Sprintf("Topic '%s' supplied via the '%s' property is required to have 'cleanup.policy=compact' to guarantee consistency and durability, but found the topic currently has 'cleanup.policy=%s'. Continuing would likely result in eventually losing what is in it and problems restarting this Connect cluster in the future. Change the '%s' property in the Connect worker configurations to use a topic with 'cleanup.policy=compact'.", topic.Name, topic.Property, *c.Value, topic.Property))
			}
		}
	}
	return nil
}
