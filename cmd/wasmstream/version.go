package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// versionInfo is what -o json prints; its names are a contract.
type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	ABI      int    `json:"abi"`
	Kafka    string `json:"kafka"` // the release whose settings and formats are followed
}

func versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "print the version", ArgsUsage: " ",
		Flags: []cli.Flag{outputFlag("text", "json")},
		Action: func(c *cli.Context) error {
			v := buildVersion()
			if c.String("output") == "json" {
				return printJSON(c.App.Writer, v)
			}
			revision := ""
			if v.Revision != "" {
				revision = " (" + v.Revision[:min(12, len(v.Revision))] + ")"
			}
			_, err := fmt.Fprintf(c.App.Writer, "wasmstream %s%s, guest ABI %d, as Kafka Streams %s, %s %s\n", v.Version, revision, v.ABI, v.Kafka, v.Go, v.Platform)
			return err
		},
	}
}

func buildVersion() versionInfo {
	v := versionInfo{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, ABI: 1, Kafka: "4.3.1"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if m := info.Main.Version; m != "" && m != "(devel)" {
		v.Version = m
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}
