package house

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/zkine/zkine/conformance/rig"
)

// docsIndex is the index of the documents beside it.
const docsIndex = "docs/README.md"

// TestDocumentsAreInTheIndex has a link to each document of the folder docs in its index.
func TestDocumentsAreInTheIndex(t *testing.T) {
	index := document(t, docsIndex)
	linked := map[string]bool{filepath.Base(docsIndex): true}
	for _, to := range regexp.MustCompile(`\]\(([^)#/]+\.md)(?:#[^)]*)?\)`).FindAllStringSubmatch(index, -1) {
		linked[to[1]] = true
	}
	root, err := rig.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(root, filepath.Dir(docsIndex)))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".md" && !linked[e.Name()] {
			t.Errorf("docs/%s is not linked from %s: add it there", e.Name(), docsIndex)
		}
	}
}
