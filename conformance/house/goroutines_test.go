package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// goroutineList is the document with the table of goroutines, startedIn the head of the column that this test reads. An
// entry there, in backquotes, is a file and the function that starts the row's goroutines, and how many go statements
// of it do if there are more than one:
//
//	`revision/race.go race.onEvent ×2`
//
// What one function starts for several rows is in each of these; the counts add up to its go statements. A call of a
// function spawn or Go, which starts its argument and has it waited for, stands for the go statement in that. A method is
// written with its type, as Type.method; what a package variable's function starts, with the variable's name. A row of
// goroutines of a library has no entry.
const (
	goroutineList = "docs/write-path.md"
	startedIn     = "started in"
)

// TestGoroutines compares the list with the go statements of the product, and its calls of WaitGroup.Go and
// errgroup.Group.Go: each has to be in the list, and each entry has to exist.
func TestGoroutines(t *testing.T) {
	rows := goroutineRows(t, document(t, goroutineList))
	started := map[string]int{}
	for _, s := range allSources(t) {
		if s.isProduct() {
			countStarts(s, started)
		}
	}
	for place, count := range started {
		switch listed := rows[place]; {
		case listed == nil:
			t.Errorf("%s: no row names `%s`: add it to the column %q, in the row of the goroutine that it starts, or a row", goroutineList, counted(place, count), startedIn)
		case listed.count != count:
			t.Errorf("%s: there are %d go statements in `%s`, but %d in the column %q of the rows %q: correct the ×, or add it to another row",
				goroutineList, count, place, listed.count, startedIn, listed.rows)
		}
	}
	for place, listed := range rows {
		if started[place] == 0 {
			t.Errorf("%s: the rows %q name `%s`, where no goroutine starts: drop it%s", goroutineList, listed.rows, place, moved(place, started, rows))
		}
	}
}

// counted is an entry as the table has it.
func counted(place string, count int) string {
	if count > 1 {
		return fmt.Sprintf("%s ×%d", place, count)
	}
	return place
}

// moved suggests where the function of a place is now: one that no row names, of the same name, or a method of the same
// name if its type has another one.
func moved(place string, started map[string]int, rows map[string]*entry) string {
	_, function, _ := strings.Cut(place, " ")
	method := function[strings.Index(function, ".")+1:]
	var alike []string
	for other, count := range started {
		_, name, _ := strings.Cut(other, " ")
		if rows[other] == nil && (strings.EqualFold(name, function) || strings.EqualFold(name[strings.Index(name, ".")+1:], method)) {
			alike = append(alike, "`"+counted(other, count)+"`")
		}
	}
	if alike == nil {
		return ""
	}
	return ", or write " + strings.Join(alike, " or ") + " if it has moved there"
}

// entry is what rows say of a place.
type entry struct {
	rows  []string
	count int
}

var entryForm = regexp.MustCompile(`^(\S+\.go \S+)(?: ×(\d+))?$`)

// goroutineRows reads the table: its entries by place.
func goroutineRows(t *testing.T, text string) map[string]*entry {
	t.Helper()
	rows, column := map[string]*entry{}, -1
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case !strings.HasPrefix(line, "|"):
			column = -1
		case slices.Contains(cells, startedIn):
			column = slices.Index(cells, startedIn)
		case column >= 0 && column < len(cells):
			for _, span := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[column], -1) {
				match := entryForm.FindStringSubmatch(span[1])
				if match == nil {
					t.Errorf("%s: the row %q has `%s` in the column %q, which is not a file and a function", goroutineList, cells[0], span[1], startedIn)
					continue
				}
				count := 1
				if match[2] != "" {
					fmt.Sscan(match[2], &count) //nolint:errcheck // they are digits
				}
				if rows[match[1]] == nil {
					rows[match[1]] = &entry{}
				}
				rows[match[1]].rows = append(rows[match[1]].rows, cells[0])
				rows[match[1]].count += count
			}
		}
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no table with a column %q", goroutineList, startedIn)
	}
	return rows
}

// spawn is the name, besides Go, of functions whose calls count instead of the go statement in them.
const spawn = "spawn"

// countStarts counts what starts goroutines in a file, by place.
func countStarts(s source, started map[string]int) {
	for _, declaration := range s.syntax.Decls {
		name := nameOf(declaration)
		if method := name[strings.Index(name, ".")+1:]; method == spawn || method == "Go" {
			continue // its calls count
		}
		place := s.path + " " + name
		ast.Inspect(declaration, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				started[place]++
			case *ast.ExprStmt:
				call, ok := n.X.(*ast.CallExpr)
				if !ok || len(call.Args) != 1 {
					break
				}
				if f, ok := call.Fun.(*ast.SelectorExpr); ok && (f.Sel.Name == "Go" || f.Sel.Name == spawn) {
					started[place]++
				}
			}
			return true
		})
	}
}

// nameOf is a function's name, Type.method for a method, or a variable's.
func nameOf(d ast.Decl) string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if owner := receiver(d); owner != "" {
			return owner + "." + d.Name.Name
		}
		return d.Name.Name
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if v, ok := spec.(*ast.ValueSpec); ok {
				return v.Names[0].Name
			}
		}
	}
	return "?"
}

// TestGoroutinesAreFound has the readers of source and table find what they should.
func TestGoroutinesAreFound(t *testing.T) {
	const text = `package p
var lazy = func() { go f() }
func (t *T[K]) run() { go f(); go func() { t.wg.Go(f) }(); g.Go(1, 2) }
func (t *T[K]) spawn(f func()) { go f() }
func Open() { t.spawn(f); p, err := t.spawn(f) }
`
	syntax, err := parser.ParseFile(positions, "", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	started := map[string]int{}
	countStarts(source{path: "a.go", syntax: syntax}, started)
	if want := map[string]int{"a.go lazy": 1, "a.go T.run": 3, "a.go Open": 1}; !maps.Equal(started, want) {
		t.Errorf("found %v, not %v", started, want)
	}
	rows := goroutineRows(t, "| goroutine | started in |\n|---|---|\n| `x` | `a.go T.run ×2`, `a.go Open` |\n| `y` | `a.go T.run` |\n| library's | |\n")
	if len(rows) != 2 || rows["a.go T.run"].count != 3 || rows["a.go Open"].count != 1 {
		t.Errorf("read %v", rows)
	}
}
