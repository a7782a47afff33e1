package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// newApp is the command line with the streams it speaks through: out is data, talk is for people.
func newApp(in io.Reader, out, talk io.Writer) *cli.App {
	a := &cli.App{
		Name:                      "wasmstream",
		Usage:                     "Kafka Streams and Kafka Connect with functions in WebAssembly",
		HideVersion:               true,
		Reader:                    in,
		Writer:                    out,
		ErrWriter:                 talk,
		Commands:                  commands(),
		Action:                    needCommand,
		OnUsageError:              usageError,
		ExitErrHandler:            func(*cli.Context, error) {}, // main prints errors, once
		DisableSliceFlagSeparator: true,
		EnableBashCompletion:      true,
	}
	prepare(a.Commands)
	return a
}

// commands lists every command in the order of the help.
func commands() []*cli.Command {
	return []*cli.Command{
		runCommand(), testCommand(), describeCommand(), graphCommand(), validateCommand(), schemaCommand(), reloadCommand(), stateCommand(), threadsCommand(), pauseCommand(), resumeCommand(), buildCommand(), moduleCommand(),
		brokerCommand(), topicCommand(), produceCommand(), consumeCommand(), resetCommand(),
		connectCommand(), connectorCommand(),
		demoCommand(), benchCommand(), explainCommand(), completionCommand(), versionCommand(),
	}
}

// prepare gives every command the same manners: errors with codes, no library's own texts.
func prepare(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = usageError
		c.HideHelpCommand = true
		if len(c.Subcommands) > 0 {
			c.Action = needCommand
			prepare(c.Subcommands)
		}
	}
}

// needCommand is the action of a group of commands: help when nothing was given, else the nearest command.
func needCommand(c *cli.Context) error {
	if !c.Args().Present() {
		if c.Command.Name == "" || c.Command.Name == c.App.Name {
			return cli.ShowAppHelp(c)
		}
		return cli.ShowSubcommandHelp(c)
	}
	var names []string
	for _, sub := range c.Command.Subcommands {
		if !sub.Hidden {
			names = append(names, sub.Names()...)
		}
	}
	name := c.Args().First()
	fix := "wasmstream help lists the commands"
	if nearest := errs.Nearest(name, names); nearest != "" {
		fix = fmt.Sprintf("did you mean %q?", strings.TrimPrefix(c.Command.HelpName+" "+nearest, "wasmstream "))
	}
	return errs.CLIUnknownCommand.New("", fmt.Sprintf("there is no command %q", name), fix)
}

var undefinedFlag = regexp.MustCompile(`flag provided but not defined: -+(.*)$`)

// usageError gives what the flag parser objects to a code and, for an unknown flag, the nearest one.
func usageError(c *cli.Context, err error, _ bool) error {
	where := c.Command.HelpName
	m := undefinedFlag.FindStringSubmatch(err.Error())
	if v := invalidValue.FindStringSubmatch(err.Error()); v != nil {
		want, example := wanted(c, v[2])
		if strings.Contains(err.Error(), strconv.ErrRange.Error()) {
			want += " that is not too large"
		}
		return errs.CLIUsage.New(where, fmt.Sprintf("%s: want %s (got %q)", dashed(v[2]), want, v[1]), "as in "+dashed(v[2])+" "+example)
	}
	if m == nil {
		return errs.CLIUsage.New(where, err.Error(), where+" --help shows the flags")
	}
	var names []string
	for _, f := range c.Command.Flags {
		names = append(names, f.Names()...)
	}
	fix := where + " --help shows the flags"
	if nearest := errs.Nearest(m[1], names); nearest != "" {
		fix = "did you mean " + dashed(nearest) + "?"
	}
	return errs.CLIUsage.New(where, "there is no flag "+dashed(m[1]), fix)
}

var invalidValue = regexp.MustCompile(`(?s)^invalid (?:boolean )?value "(.*)" for (?:flag )?-(\S+): `)

// wanted is what a flag takes, and an example of it.
func wanted(c *cli.Context, flag string) (want, example string) {
	for _, f := range c.Command.Flags {
		if !slices.Contains(f.Names(), flag) {
			continue
		}
		switch f.(type) {
		case *cli.DurationFlag:
			return "a time with its unit", "10s"
		case *cli.IntFlag, *cli.Int64Flag:
			return "a whole number", "1"
		case *cli.BoolFlag:
			return "true or false", "alone"
		}
	}
	return "another value", "--help shows it"
}

func dashed(flag string) string {
	if len(flag) == 1 {
		return "-" + flag
	}
	return "--" + flag
}

// wantArgs checks the number of arguments; most < 0 is any number.
func wantArgs(c *cli.Context, least, most int) error {
	n := c.NArg()
	if n >= least && (most < 0 || n <= most) {
		return nil
	}
	problem := "an argument is missing"
	if n > least {
		problem = fmt.Sprintf("%q is one argument too many", c.Args().Get(most))
	}
	usage := strings.TrimSpace(c.Command.HelpName + " " + c.Command.ArgsUsage)
	takesFile := slices.ContainsFunc(c.Command.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), "file") })
	if n > least && most == 0 && takesFile {
		usage += " --file " + c.Args().First()
	}
	return errs.CLIUsage.New(c.Command.HelpName, problem, "write "+usage)
}

// atLeast checks a flag that is a number or a duration, if it was given.
func atLeast(c *cli.Context, flag string, least int64) error {
	var n int64
	switch v := c.Value(flag).(type) {
	case int:
		n = int64(v)
	case int64:
		n = v
	case time.Duration:
		n = int64(v)
	}
	if !c.IsSet(flag) || n >= least {
		return nil
	}
	want := fmt.Sprintf("want %d or more (got %v)", least, c.Value(flag))
	if _, ok := c.Value(flag).(time.Duration); ok {
		want = fmt.Sprintf("want a positive time (got %v)", c.Value(flag))
	}
	return errs.CLIUsage.New("--"+flag, want, "")
}

// intersperse moves flags in front of arguments, because the flag parser stops at the first argument and people write
// `topic create NAME --partitions 1`. What follows -- stays where it is. Who asks for help is not asked for anything else:
// the library takes an argument for the name of a command then.
func intersperse(commands []*cli.Command, args []string) []string {
	if len(args) < 2 {
		return args
	}
	path, rest := args[:1:1], args[1:]
	var leaf *cli.Command
	for len(rest) > 0 {
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(rest[0]) })
		if i < 0 {
			break
		}
		leaf, commands = commands[i], commands[i].Subcommands
		path, rest = append(path, rest[0]), rest[1:]
	}
	if leaf == nil {
		return args
	}
	flags, positional := sortOut(leaf, rest)
	return slices.Concat(path, flags, positional)
}

var helpFlags = []string{"-h", "-help", "--help"}

func sortOut(c *cli.Command, args []string) (flags, positional []string) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case slices.Contains(helpFlags, arg):
			return []string{arg}, nil
		case arg == "--":
			return flags, slices.Concat(positional, args[i:])
		case arg == "-" || !strings.HasPrefix(arg, "-"):
			positional = append(positional, arg)
		default:
			flags = append(flags, arg)
			if takesValue(c, arg) && i+1 < len(args) {
				i++
				flags = append(flags, args[i])
			}
		}
	}
	return flags, positional
}

// takesValue tells whether the next argument belongs to the flag: unless it is a boolean or has its value with "=".
func takesValue(c *cli.Command, arg string) bool {
	name := strings.TrimLeft(arg, "-")
	if strings.Contains(name, "=") {
		return false
	}
	for _, f := range c.Flags {
		if _, isBool := f.(*cli.BoolFlag); slices.Contains(f.Names(), name) {
			return !isBool
		}
	}
	return false
}
