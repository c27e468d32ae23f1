package house

import (
	"go/ast"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/zkine/zkine/conformance/rig"
)

var (
	// quoted is what stands in backquotes, on one line.
	quoted = regexp.MustCompile("`([^`\n]+)`")
	// repositoryPath is a path from the root of the checkout; * stands for a part of a name.
	repositoryPath = regexp.MustCompile(`^(backend|cmd|conformance|deploy|docs|findings|revision|server)(/[\w.*-]+)+/?$`)
	// goFile is a file without its folder.
	goFile = regexp.MustCompile(`^[\w*-]+\.go$`)
	// testName is a test that a document names as a proof.
	testName = regexp.MustCompile(`\bTest[A-Z]\w+`)
	// link is a Markdown link to a file of the checkout.
	link = regexp.MustCompile(`\]\(([\w./-]+)(#[\w-]*)?\)`)
	// fence is a block of code.
	fence = regexp.MustCompile("(?s)```.*?```")
)

// upstream has names of tests and files of k8s.io/apiserver's, which documents name.
var upstream = map[string]bool{"TestCompact": true, "TestLists": true, "TestWatch": true, "compact_test.go": true}

// TestDocumentsNameWhatExists holds each path, file, test and link in the documents against the checkout.
func TestDocumentsNameWhatExists(t *testing.T) {
	root, err := rig.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	tests, files := namesIn(allSources(t))
	for _, name := range documents(t, root) {
		text := fence.ReplaceAllString(document(t, name), "")
		for _, match := range quoted.FindAllStringSubmatch(text, -1) {
			switch token := match[1]; {
			case repositoryPath.MatchString(token) && !exists(root, token):
				t.Errorf("%s: there is no `%s`: name where it is now", name, token)
			case goFile.MatchString(token) && !strings.Contains(token, "*") && !files[token] && !upstream[token]:
				t.Errorf("%s: no folder has a file `%s`: name it as it is called now", name, token)
			}
		}
		for _, test := range testName.FindAllString(text, -1) {
			if !tests[test] && !upstream[test] {
				t.Errorf("%s: there is no test %s: name it as it is called now", name, test)
			}
		}
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			if to := path.Join(path.Dir(name), match[1]); !exists(root, to) {
				t.Errorf("%s: the link to %s leads nowhere", name, match[1])
			}
		}
	}
}

// namesIn are the test functions of all files, and the files' names without folders.
func namesIn(all []source) (tests, files map[string]bool) {
	tests, files = map[string]bool{}, map[string]bool{}
	for _, s := range all {
		files[path.Base(s.path)] = true
		for _, d := range s.syntax.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.isTest() && f.Recv == nil {
				tests[f.Name.Name] = true
			}
		}
	}
	return tests, files
}

// documents are the Markdown files of the checkout.
func documents(t *testing.T, root string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && file != root && (strings.HasPrefix(name, ".") || name == "testdata") {
			return filepath.SkipDir
		}
		if !entry.IsDir() && strings.HasSuffix(file, ".md") {
			relative, err := filepath.Rel(root, file)
			names = append(names, filepath.ToSlash(relative))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// exists says whether a path from the root of the checkout is there; * stands for a part of a name.
func exists(root, name string) bool {
	file := filepath.Join(root, filepath.FromSlash(name))
	if strings.Contains(name, "*") {
		found, err := filepath.Glob(file)
		return err == nil && len(found) > 0
	}
	_, err := os.Stat(file)
	return err == nil
}
