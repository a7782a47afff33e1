//go:build integration

package main_test

import (
	"testing"

	"github.com/wasmstream/wasmstream/internal/brokertest"
)

func TestLabOnApacheKafka(t *testing.T) {
	newLab(t, brokertest.Own(t).Addr, false).run("docs/lab-wordcount.md")
}
