package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/zkine/zkine/conformance/rig"
)

// module is the import path of the checkout's root.
const module = "github.com/zkine/zkine"

// source is a Go file of the checkout.
type source struct {
	path   string // from the root, with slashes
	text   string
	syntax *ast.File
}

// dir is the file's folder, "." for the root: its package.
func (s source) dir() string { return path.Dir(s.path) }

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// testAids are packages that only tests link.
var testAids = []string{"backend/memlog", "backend/simulation", "revision/memzk", "revision/zktest", "server/servertest"}

// isProduct says whether the file is a part of the program zkine.
func (s source) isProduct() bool {
	if s.isTest() || within(s.path, "conformance") {
		return false
	}
	for _, aid := range testAids {
		if within(s.path, aid) {
			return false
		}
	}
	return true
}

func within(file, folder string) bool { return strings.HasPrefix(file, folder+"/") }

var positions = token.NewFileSet()

// sources are all Go files of the checkout but generated ones.
var sources = sync.OnceValues(func() (all []source, err error) {
	root, err := rig.Checkout()
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && file != root && (strings.HasPrefix(name, ".") || name == "testdata") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(file, ".go") {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		syntax, err := parser.ParseFile(positions, file, text, parser.ParseComments)
		if err != nil {
			return err
		}
		if ast.IsGenerated(syntax) {
			return nil
		}
		relative, err := filepath.Rel(root, file)
		all = append(all, source{filepath.ToSlash(relative), string(text), syntax})
		return err
	})
	return all, err
})

func allSources(t *testing.T) []source {
	t.Helper()
	all, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Fatalf("only %d Go files were found", len(all))
	}
	return all
}

// modules are the folders with a go.mod, "." for the root's.
func modules(t *testing.T) (all []string) {
	t.Helper()
	root, err := rig.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && file != root && strings.HasPrefix(name, ".") {
			return filepath.SkipDir
		}
		if entry.Name() == "go.mod" {
			dir, err := filepath.Rel(root, filepath.Dir(file))
			if err != nil {
				return err
			}
			all = append(all, filepath.ToSlash(dir))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// document reads a file of the checkout.
func document(t *testing.T, name string) string {
	t.Helper()
	root, err := rig.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// receiver is the name of the type that a method is of, "" for a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	of := f.Recv.List[0].Type
	for {
		switch x := of.(type) {
		case *ast.StarExpr:
			of = x.X
		case *ast.IndexExpr:
			of = x.X
		case *ast.IndexListExpr:
			of = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}
