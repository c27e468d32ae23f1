package main

import (
	"fmt"
	"strings"

	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"

	"github.com/zkine/zkine/cmd/zkine/configfile"
	"github.com/zkine/zkine/cmd/zkine/etcdflags"
)

// etcdEnvPrefix begins the variables that etcd reads, and zkine does not.
const etcdEnvPrefix = "ETCD_"

// etcdFlags are for what an operator brings from an etcd: its file of settings, its
// flags that have no meaning here.
type etcdFlags struct {
	file   string
	ignore bool

	ignored []string // flags that were given and mean nothing
}

func (e *etcdFlags) bind(f *pflag.FlagSet) {
	f.StringVar(&e.file, "config-file", "", "YAML `file` of settings, with the names of flags as keys, or as etcd's file has them; flags and variables win over it")
	f.BoolVar(&e.ignore, "ignore-etcd-flags", false, "accept flags of etcd that have no meaning here, such as --initial-cluster, with a warning")
}

// read reads the file, for all flags that neither the command line nor a variable
// has set, and refuses what has no meaning. It adds to env what came from the file.
func (e *etcdFlags) read(flags *pflag.FlagSet, env environment) error {
	if e.file != "" {
		settings, err := configfile.Read(e.file)
		if err != nil {
			return &problem{thing: sourceOf(env, "config-file"), what: oneLine(err.Error()), remedy: "write it as docs/operations.md shows", usage: true}
		}
		for _, s := range settings {
			if err := e.apply(flags, env, s); err != nil {
				return err
			}
		}
	}
	return e.refuseMeaningless(flags, env)
}

// apply sets the flag of a setting.
func (e *etcdFlags) apply(flags *pflag.FlagSet, env environment, s configfile.Setting) error {
	source := fmt.Sprintf("%s:%d: %s", e.file, s.Line, s.Key)
	f := flags.Lookup(s.Flag)
	if f == nil || f.Name == "help" || f.Name == "config-file" {
		p := &problem{thing: source, what: "no such setting", remedy: "see zkine server --help", usage: true}
		if meant := meantBy(flags, s.Flag); f == nil && meant != "" {
			p.remedy = "did you mean " + meant + "? See zkine server --help"
		}
		return p
	}
	if f.Changed || env.from[f.Name] != "" {
		return nil
	}
	value := s.Value
	if s.Integer && f.Value.Type() == "duration" {
		value += "ns" // as in etcd's file
	}
	if err := f.Value.Set(value); err != nil {
		return badValue(source, f, s.Value)
	}
	env.from[f.Name] = source
	return nil
}

// refuseMeaningless refuses the first flag of etcd's that has no meaning, or notes
// all of them for a warning.
func (e *etcdFlags) refuseMeaningless(flags *pflag.FlagSet, env environment) (err error) {
	flags.VisitAll(func(f *pflag.Flag) {
		why := etcdflags.Why(f)
		if why == "" || !f.Changed && env.from[f.Name] == "" {
			return
		}
		source := sourceOf(env, f.Name)
		e.ignored = append(e.ignored, source)
		if !e.ignore && err == nil {
			err = &problem{thing: source, what: "it has no meaning here: " + why, usage: true,
				remedy: "leave it out, or have all such flags of etcd accepted with --ignore-etcd-flags"}
		}
	})
	return err
}

// warn says what was brought from etcd and is not used, a line each for flags and
// variables.
func (e *etcdFlags) warn(flags *pflag.FlagSet, environ []string, log *logrus.Entry) {
	if len(e.ignored) > 0 {
		log.Warnf("ignored, since they are etcd's and have no meaning here: %s", strings.Join(e.ignored, ", "))
	}
	var set, use, none []string
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		rest, etcds := strings.CutPrefix(name, etcdEnvPrefix)
		f := flags.Lookup(strings.ToLower(strings.ReplaceAll(rest, "_", "-")))
		switch {
		case !etcds || value == "" || f == nil:
		case etcdflags.Why(f) == "":
			set, use = append(set, name), append(use, envName(f.Name))
		default:
			none = append(none, name)
		}
	}
	var parts []string
	if len(set) > 0 {
		parts = append(parts, fmt.Sprintf("%s: set, but zkine does not read etcd's variables; set %s", strings.Join(set, ", "), strings.Join(use, ", ")))
	}
	if len(none) > 0 {
		parts = append(parts, fmt.Sprintf("%s: set, and without meaning here", strings.Join(none, ", ")))
	}
	if len(parts) > 0 {
		log.Warn(strings.Join(parts, "; "))
	}
}

// sourceOf is what has set a flag: itself, its variable, or a line of the file.
func sourceOf(env environment, flag string) string {
	if from := env.from[flag]; from != "" {
		return from
	}
	return "--" + flag
}

// meantBy is the flag that an unknown name probably stands for: what etcd has
// called experimental, or one that is written much like it; "" for none.
func meantBy(flags *pflag.FlagSet, name string) string {
	if now := etcdflags.Old(flags, name); now != "" {
		return now
	}
	return closest(name, flagNames(flags))
}
