package house

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dependencyList is the document with a table of what go.mod names.
const dependencyList = "docs/dependencies.md"

// TestDependenciesAreListed compares the table's first column with the direct requirements of zkine's own module.
func TestDependenciesAreListed(t *testing.T) {
	var listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| ((?:`[^`]+`(?:, )?)+) \\|").FindAllStringSubmatch(document(t, dependencyList), -1) {
		for _, module := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			listed = append(listed, module[1])
		}
	}
	direct := directRequirements(document(t, "go.mod"))
	if len(direct) < 10 {
		t.Fatalf("only %d requirements were found in go.mod", len(direct))
	}
	for _, module := range direct {
		if !slices.Contains(listed, module) {
			t.Errorf("%s: go.mod needs %s, which no row names: add one, and a paragraph that says why", dependencyList, module)
		}
	}
	for _, module := range listed {
		if !slices.Contains(direct, module) {
			t.Errorf("%s: a row names %s, which go.mod does not need: drop it", dependencyList, module)
		}
	}
}

// directRequirements are the modules that a go.mod names for its own code.
func directRequirements(mod string) (modules []string) {
	for _, line := range regexp.MustCompile(`(?m)^(?:require )?\s*(\S+\.\S+/\S+) v\S+( // indirect)?$`).FindAllStringSubmatch(mod, -1) {
		if !strings.Contains(line[2], "indirect") {
			modules = append(modules, line[1])
		}
	}
	return modules
}
