package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/wasmstream/wasmstream/internal/errs"
)

// completions ask the program itself for what may come next, so that they never get old.
var completions = map[string]string{
	"bash": `_wasmstream() {
  local cur="${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=($(compgen -W "$("${COMP_WORDS[@]:0:$COMP_CWORD}" ${cur:+"$cur"} --generate-bash-completion 2>/dev/null)" -- "$cur"))
}
complete -o bashdefault -o default -F _wasmstream wasmstream
`,
	"zsh": `#compdef wasmstream
_wasmstream() {
  local -a opts
  opts=("${(@f)$(${words[@]:0:#words[@]-1} ${words[-1]:+${words[-1]}} --generate-bash-completion 2>/dev/null)}")
  compadd -- $opts || _files
}
compdef _wasmstream wasmstream
`,
	"fish": `function __wasmstream_complete
  set -l tokens (commandline -opc)
  set -l cur (commandline -ct)
  $tokens $cur --generate-bash-completion 2>/dev/null
end
complete -c wasmstream -a '(__wasmstream_complete)'
`,
	"powershell": `Register-ArgumentCompleter -Native -CommandName wasmstream -ScriptBlock {
  param($word, $ast, $cursor)
  $words = $ast.CommandElements | ForEach-Object { $_.ToString() }
  & $words[0] $words[1..$words.Length] --generate-bash-completion 2>$null |
    Where-Object { $_ -like "$word*" } |
    ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
}
`,
}

func completionCommand() *cli.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cli.Command{
		Name: "completion", Usage: "print the completion script of a shell", ArgsUsage: "bash|zsh|fish|powershell",
		Description: "bash:  source <(wasmstream completion bash)\nzsh:   wasmstream completion zsh > \"${fpath[1]}/_wasmstream\"\nfish:  wasmstream completion fish | source",
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, 1); err != nil {
				return err
			}
			script, ok := completions[c.Args().First()]
			if !ok {
				return errs.CLIUsage.New(c.Command.HelpName, fmt.Sprintf("there is no script for %q", c.Args().First()), errs.DidYouMean(c.Args().First(), shells))
			}
			_, err := fmt.Fprint(c.App.Writer, script)
			return err
		},
	}
}
