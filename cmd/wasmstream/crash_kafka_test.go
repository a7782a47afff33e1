//go:build integration

package main_test

import (
	"testing"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

// TestCountsSurviveSIGKILL is the crash test against a real Apache Kafka.
func TestCountsSurviveSIGKILL(t *testing.T) {
	newCrash(t, brokertest.Real(t)).run(20)
}
