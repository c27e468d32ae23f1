package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

const envPrefix = "ZKINE_"

// envName is the variable of a flag.
func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// notOurs are variables that begin as ours do and mean something else: those of
// the build and the tests, and those that Kubernetes gives each container for a
// Service called zkine, or zkine-something.
var notOurs = regexp.MustCompile(`^ZKINE_(ZOOKEEPER_DIR|DEBIAN_\w+|APT_ETC|TEST_\w+|(\w+_)?SERVICE_(HOST|PORT(_\w+)?)|(\w+_)?PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// environment is what was read from environment variables.
type environment struct {
	// from holds the variable of each flag that was set by one.
	from map[string]string
	// unknown are variables with our prefix that no flag has.
	unknown []string
}

// readEnv sets the flags that the command line left alone from their variables.
// An empty variable counts as one that is not set, as in etcd.
func readEnv(flags *pflag.FlagSet, environ []string) (environment, error) {
	values := make(map[string]string)
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(strings.ToUpper(name), envPrefix) && value != "" {
			values[name] = value
		}
	}
	env := environment{from: make(map[string]string)}
	var bad error
	flags.VisitAll(func(f *pflag.Flag) {
		name := envName(f.Name)
		value, set := values[name]
		delete(values, name)
		if !set || f.Changed || f.Name == "help" {
			return
		}
		if err := f.Value.Set(value); err != nil && bad == nil {
			bad = badValue(name, f, value)
		}
		env.from[f.Name] = name
	})
	for name := range values {
		if !notOurs.MatchString(name) {
			env.unknown = append(env.unknown, name)
		}
	}
	slices.Sort(env.unknown)
	return env, bad
}
