package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/examples"
	"github.com/wasmstream/wasmstream/host/wasm"
)

func benchSandboxCommand() *cli.Command {
	return &cli.Command{
		Name: "sandbox", Usage: "what the sandbox costs: judging, metering and compiling a module, an instance", ArgsUsage: "[FILE...]",
		Description: "Without files the word count in C that the program carries. Times are the shortest of several; compile is in a process of\n" +
			"its own, load the same code from the cache. Memory is that of one more instance, the guest's own included.",
		Flags:  []cli.Flag{outputFlag("table", "json")},
		Action: benchSandbox,
	}
}

// sandboxCosts is what -o json prints, a line for each module; its names are a contract.
type sandboxCosts struct {
	Module          string  `json:"module"`
	Bytes           int     `json:"bytes"`
	MeteredBytes    int     `json:"metered_bytes"`
	ValidateMsPerMB float64 `json:"validate_ms_per_mb"`
	MeterMsPerMB    float64 `json:"meter_ms_per_mb"`
	CompileMsPerMB  float64 `json:"compile_ms_per_mb"`
	CompileMs       float64 `json:"compile_ms"`
	LoadMs          float64 `json:"load_ms"`
	InstantiateMs   float64 `json:"instantiate_ms"`
	InstanceBytes   uint64  `json:"instance_bytes"`
}

func benchSandbox(c *cli.Context) error {
	all := []sandboxCosts{}
	measure := func(name string, module []byte) error {
		costs, err := sandboxCostsOf(c, name, module)
		all = append(all, costs)
		return err
	}
	for _, path := range c.Args().Slice() {
		module, err := wasm.ReadFile(path)
		if err != nil {
			return err
		}
		if err := measure(wasm.ShownPath(path), module); err != nil {
			return wasm.Coded(path, err)
		}
	}
	if c.NArg() == 0 {
		if err := measure("wordcount (C)", examples.WordCount); err != nil {
			return err
		}
	}
	if c.String("output") == "json" {
		return printJSON(c.App.Writer, all)
	}
	var rows [][]string
	for _, s := range all {
		rows = append(rows, []string{
			s.Module, fmt.Sprint(s.Bytes), number(s.ValidateMsPerMB), number(s.MeterMsPerMB), number(s.CompileMsPerMB),
			number(s.CompileMs), number(s.LoadMs), number(s.InstantiateMs), fmt.Sprintf("%d", s.InstanceBytes>>10),
		})
	}
	return printTable(c.App.Writer, []string{"MODULE", "BYTES", "VALIDATE ms/MB", "METER ms/MB", "COMPILE ms/MB", "COMPILE ms", "LOAD ms", "INSTANTIATE ms", "INSTANCE KiB"}, rows)
}

func number(v float64) string { return fmt.Sprintf("%.3g", v) }

func sandboxCostsOf(c *cli.Context, name string, module []byte) (sandboxCosts, error) {
	dir, err := os.MkdirTemp("", "wasmstream-bench-")
	if err != nil {
		return sandboxCosts{}, fmt.Errorf("making a folder for the cache: %w", err)
	}
	defer os.RemoveAll(dir)
	config := wasm.DefaultConfig()
	config.CacheDir, config.Compiler.Command = filepath.Join(dir, "modules"), compiler()
	costs, err := wasm.MeasureCosts(c.Context, name, module, config)
	perMB := func(d time.Duration) float64 { return d.Seconds() * 1e3 / (float64(len(module)) / 1e6) }
	return sandboxCosts{
		Module: name, Bytes: costs.ModuleBytes, MeteredBytes: costs.MeteredBytes,
		ValidateMsPerMB: perMB(costs.Validate), MeterMsPerMB: perMB(costs.Meter), CompileMsPerMB: perMB(costs.Compile),
		CompileMs: costs.Compile.Seconds() * 1e3, LoadMs: costs.Load.Seconds() * 1e3, InstantiateMs: costs.Instantiate.Seconds() * 1e3, InstanceBytes: costs.InstanceBytes,
	}, err
}
