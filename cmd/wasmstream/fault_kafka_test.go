//go:build failpoints && integration && linux

package main_test

import (
	"testing"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// kafkaShare is faultShare on Apache Kafka: together, the applications get nearly all faults.
const kafkaShare = 8

// TestFaultsOnKafka is TestFaults on an Apache Kafka of its own, behind the proxy that cuts, slows and half-opens.
func TestFaultsOnKafka(t *testing.T) {
	cluster := brokertest.OwnCluster(t, 1)
	sufferAll(t, kafkaShare, func(t *testing.T) (*brokertest.Broker, *brokertest.Proxy) { return cluster.Proxied(t) })
}
