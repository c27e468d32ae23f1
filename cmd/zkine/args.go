package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// checkArgs refuses commands and flags that do not exist, before cobra looks at
// them: cobra would call the flags of a mistyped command unknown instead of the
// command, and name only the first of several.
func checkArgs(root *cobra.Command, args []string) error {
	cmd := root
	for cmd.HasSubCommands() {
		name, rest := nextCommand(args)
		if name == "" || cobraCommands[name] {
			return nil // help is shown, or cobra knows more
		}
		next := child(cmd, name)
		if next == nil {
			return knownCommand(cmd, []string{name})
		}
		cmd, args = next, rest
	}
	return checkFlags(cmd, args)
}

// cobraCommands are those that cobra adds when it runs.
var cobraCommands = map[string]bool{"help": true, "completion": true, cobra.ShellCompRequestCmd: true, cobra.ShellCompNoDescRequestCmd: true}

// nextCommand is the first argument that is no flag, and the others. What follows
// a flag without a value may be its value: then there is none.
func nextCommand(args []string) (name string, rest []string) {
	for i, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			return arg, append(append([]string(nil), args[:i]...), args[i+1:]...)
		}
		if !strings.Contains(arg, "=") {
			return "", args
		}
	}
	return "", args
}

func child(cmd *cobra.Command, name string) *cobra.Command {
	for _, c := range cmd.Commands() {
		if c.Name() == name || c.HasAlias(name) {
			return c
		}
	}
	return nil
}

// checkFlags names all flags that a command does not have.
func checkFlags(cmd *cobra.Command, args []string) error {
	cmd.InitDefaultHelpFlag()
	var unknown []string
	for i := 0; i < len(args); i++ {
		name, isLong := strings.CutPrefix(args[i], "--")
		if !isLong {
			continue // cobra speaks of short ones: there is only -h
		}
		if name == "" {
			break
		}
		name, _, hasValue := strings.Cut(name, "=")
		known := cmd.Flags().Lookup(name)
		if known == nil {
			unknown = append(unknown, "--"+name)
		}
		takesNext := known == nil || known.NoOptDefVal == ""
		if !hasValue && takesNext && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			i++
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	p := &problem{thing: strings.Join(unknown, ", "), what: "no such flags", remedy: "see --help", usage: true}
	if len(unknown) == 1 {
		p.what = "no such flag"
	}
	var meant []string
	for _, name := range unknown {
		if flag := closest(name, flagNames(cmd.Flags())); flag != "" {
			meant = append(meant, "--"+flag)
		}
	}
	if len(meant) > 0 {
		p.remedy = fmt.Sprintf("did you mean %s? See --help", strings.Join(meant, ", "))
	}
	return p
}
