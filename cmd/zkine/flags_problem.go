package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// flagProblem says what is wrong with a flag.
func flagProblem(err error) error {
	var (
		unknown *pflag.NotExistError
		empty   *pflag.ValueRequiredError
		bad     *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown):
		if unknown.GetSpecifiedShortnames() != "" {
			return &problem{thing: "-" + unknown.GetSpecifiedShortnames(), what: "no such flag", remedy: "see --help", usage: true}
		}
		return &problem{thing: "--" + unknown.GetSpecifiedName(), what: "no such flag", remedy: "see --help", usage: true}
	case errors.As(err, &empty):
		return &problem{
			thing: "--" + empty.GetSpecifiedName(), what: "a value is missing",
			remedy: fmt.Sprintf("write --%s=...", empty.GetSpecifiedName()), usage: true,
		}
	case errors.As(err, &bad):
		return badValue("--"+bad.GetFlag().Name, bad.GetFlag(), bad.GetValue())
	}
	return &problem{what: err.Error(), remedy: "see --help", usage: true}
}

// badValue is for a value that cannot be read; source is the flag or the
// variable that holds it.
func badValue(source string, f *pflag.Flag, value string) *problem {
	p := &problem{thing: source, what: fmt.Sprintf("%q cannot be read", value), usage: true}
	switch f.Value.Type() {
	case "int", "int64", "uint", "uint32":
		p.what, p.remedy = fmt.Sprintf("%q is not a whole number", value), "write one like "+f.DefValue
	case "bytes":
		p.what, p.remedy = fmt.Sprintf("%q is not a number of bytes", value), "write one like 536870912, 512m or 2g"
	case "duration":
		p.what, p.remedy = fmt.Sprintf("%q is not a duration", value), "write one like 500ms, 10s or 5m"
	default:
		p.remedy = "write it like " + strings.Trim(f.DefValue, "[]")
	}
	return p
}
