package house

import (
	"go/ast"
	"strings"
	"testing"
)

// The sizes that a reader can hold: a file is about one thing, a folder shows what is where, a type has one job.
const (
	mostLines   = 300
	mostFiles   = 22
	mostMethods = 60
)

// moreFiles are packages that may have more files, and why.
var moreFiles = map[string]struct {
	files int
	why   string
}{
	"backend/state":          {41, "one owner, the state machine, whose parts need each other's fields"},
	"cmd/zkine":              {58, "a program: a file is a command, a group of flags, or a step of its start or end, and all of them share its flags"},
	"cmd/zkine/doctor":       {26, "a file is a check, or what checks share"},
	"conformance/kubesmoke":  {34, "a program: a file is a check or what it needs, and all of them share one control plane"},
	"conformance/robustness": {28, "a file is a family of faults, a judge or a part of the load, and all of them share one cluster"},
}

func TestFilesAreShort(t *testing.T) {
	for _, s := range allSources(t) {
		if lines := strings.Count(s.text, "\n"); lines > mostLines {
			t.Errorf("%s has %d lines, more than %d: divide it by what it is about", s.path, lines, mostLines)
		}
	}
}

func TestPackagesAreSmall(t *testing.T) {
	files := map[string]int{}
	for _, s := range allSources(t) {
		if !s.isTest() {
			files[s.dir()]++
		}
	}
	for dir, n := range files {
		most := max(mostFiles, moreFiles[dir].files)
		if n > most {
			t.Errorf("package %s has %d files without tests, more than %d: give what belongs together a package (conformance/house/sizes_test.go)", dir, n, most)
		}
	}
	for dir, exception := range moreFiles {
		if n, exists := files[dir]; exists && n <= mostFiles {
			t.Errorf("package %s has %d files, and needs no exception any more (conformance/house/sizes_test.go: %s)", dir, n, exception.why)
		}
	}
}

func TestTypesHaveOneJob(t *testing.T) {
	methods := map[string]int{}
	for _, s := range allSources(t) {
		if s.isTest() {
			continue
		}
		for _, declaration := range s.syntax.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv != nil {
				methods[s.dir()+" "+receiver(f)]++
			}
		}
	}
	for name, n := range methods {
		if n > mostMethods {
			t.Errorf("type %s has %d methods, more than %d: give a part of them an owner (conformance/house/sizes_test.go)", name, n, mostMethods)
		}
	}
}
