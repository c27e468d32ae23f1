package console

import (
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// focused says which element has the focus, by its name.
const focused = `(() => { const e = document.activeElement; return (e.getAttribute("aria-label") || e.labels?.[0]?.innerText || e.innerText || e.id || e.tagName).trim().split("\n")[0] })()`

// TestKeyboard goes all the way to a key's history, and back out, without a mouse. Tab leads through all of it and out at
// the end.
func TestKeyboard(t *testing.T) {
	s := serve(t)
	s.fillCluster()
	p := s.open(wide, false)
	press := func(keys string) string { p.do(chromedp.KeyEvent(keys)); return eval[string](p, focused) }

	require.Equal(t, "Skip to the content", press(kb.Tab))
	require.Equal(t, "Overview", press(kb.Enter), "the content has the focus")
	p.do(chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`))

	// To the keys.
	p.tabTo("Keys")
	press(kb.Enter)
	p.awaitText("[role=treeitem]", "/registry/")
	p.tabTo("Prefix")
	p.do(chromedp.KeyEvent("/registry/stable.example.com/"))
	press(kb.Enter)
	p.awaitText("[role=treeitem]", "crontabs/")

	// Through the tree.
	p.tabTo("Keys")
	active := func() string {
		return eval[string](p, `document.getElementById(document.activeElement.getAttribute("aria-activedescendant"))?.querySelector(".name").textContent ?? ""`)
	}
	require.Equal(t, "crontabs/", active())
	press(kb.ArrowRight)
	p.awaitText("[role=treeitem]", "shop/")
	press(kb.ArrowDown)
	require.Equal(t, "shop/", active())
	press(kb.ArrowRight)
	p.awaitText("[role=treeitem]", "nightly")
	press(kb.End)
	require.Equal(t, "nightly", active())
	press(kb.ArrowLeft)
	require.Equal(t, "shop/", active())
	press(kb.ArrowDown)
	press(kb.Enter)
	p.awaitText("pre", "kind: CronTab")

	// Its history.
	p.tabTo("Value")
	require.Equal(t, "History", press(kb.ArrowRight))
	p.awaitText(".diff", "backup:1.3")
	p.tabTo("Close the key")
	press(kb.Enter)
	p.awaitText(".shown", "Choose a key")

	// No element holds the focus: Tab comes around, past each part.
	p.view("#/overview")
	p.awaitText("h2", "Requests")
	var seen []string
	for range 40 {
		name := press(kb.Tab)
		if slices.Contains(seen, name) {
			break
		}
		seen = append(seen, name)
	}
	for _, part := range []string{"Skip to the content", "Overview", "Cluster", "Who asks", "Keys", "Theme"} {
		require.Contains(t, seen, part)
	}
	require.Less(t, len(seen), 40, "Tab does not come around: %q", seen)
	p.quiet()
}

// tabTo presses Tab until an element of a name has the focus.
func (p *page) tabTo(name string) {
	p.t.Helper()
	var seen []string
	for range 60 {
		p.do(chromedp.KeyEvent(kb.Tab))
		at := eval[string](p, focused)
		if seen = append(seen, at); at == name {
			return
		}
	}
	p.t.Fatalf("Tab does not lead to %q, but to %q", name, seen)
}
