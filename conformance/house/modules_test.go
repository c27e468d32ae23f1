package house

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryModuleIsTested has each Go module of the checkout in the Makefile's list, but for those that only pin programs
// of others, and hold no Go file.
func TestEveryModuleIsTested(t *testing.T) {
	list := regexp.MustCompile(`(?m)^MODULES := ((?:.*\\\n)*.*)$`).FindStringSubmatch(document(t, "Makefile"))
	if list == nil {
		t.Fatal("the Makefile has no MODULES")
	}
	listed := strings.Fields(strings.ReplaceAll(list[1], "\\\n", " "))
	found := modules(t)
	for _, module := range found {
		pinned := within(module, "conformance/components")
		switch holdsGo := slices.ContainsFunc(allSources(t), func(s source) bool { return within(s.path, module) }); {
		case pinned && holdsGo:
			t.Errorf("%s holds Go files, which make test does not look at: put them elsewhere", module)
		case !pinned && !slices.Contains(listed, module):
			t.Errorf("the module %s is not tested: add it to MODULES in the Makefile, and its tests to a target", module)
		}
	}
	for _, module := range listed {
		if !slices.Contains(found, path.Clean(module)) {
			t.Errorf("MODULES in the Makefile names %s, which has no go.mod", module)
		}
	}
}
