package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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
		if flag := meantBy(cmd.Flags(), name[len("--"):]); flag != "" {
			meant = append(meant, "--"+flag)
		}
	}
	if len(meant) > 0 {
		p.remedy = fmt.Sprintf("did you mean %s? See --help", strings.Join(meant, ", "))
	}
	return p
}

// A mistyped setting that is only warned of can start something else than what
// was meant, such as a local ZooKeeper beside an ensemble that was named.

// closest is the known name that a mistyped one was probably meant to be; "" if
// none is close. Case and the kind of separators do not count.
func closest(name string, known []string) string {
	plain := strings.NewReplacer("_", "", "-", "", ".", "")
	norm := func(s string) string { return strings.ToUpper(plain.Replace(s)) }
	name = norm(name)
	best, least := "", len(name)
	for _, k := range known {
		// The shorter the name, the sooner another is close by chance.
		n := norm(k)
		if d := distance(name, n); d < least && d <= min(3, (len(n)+3)/4) && d <= len(name)/3 {
			best, least = k, d
		}
	}
	return best
}

// distance is how many letters have to be added, removed, replaced or swapped
// with their neighbour to make one word of the other.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

func flagNames(flags *pflag.FlagSet) (names []string) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}

// mistyped refuses the first variable that a flag's was probably meant by.
func mistyped(flags *pflag.FlagSet, unknown []string) error {
	for _, name := range unknown {
		if flag := closest(name[len(envPrefix):], flagNames(flags)); flag != "" {
			return &problem{thing: name, what: "no such setting", usage: true,
				remedy: fmt.Sprintf("did you mean %s? Else unset it, or give it another prefix", envName(flag))}
		}
	}
	return nil
}

// readCommandEnv is readEnv for a command other than `zkine server`. Variables of the
// server's flags are none of its; one that was probably meant for a flag of its own is
// refused, since without it the command would work on another root, for one.
func readCommandEnv(flags *pflag.FlagSet, environ []string) (environment, error) {
	env, err := readEnv(flags, environ)
	if err != nil {
		return env, err
	}
	server := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(config).bind(server)
	env.unknown = slices.DeleteFunc(env.unknown, func(name string) bool {
		return slices.ContainsFunc(flagNames(server), func(flag string) bool { return envName(flag) == name })
	})
	return env, mistyped(flags, env.unknown)
}
