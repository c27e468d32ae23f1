package console

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// markup would run, in a page that made markup of texts.
const markup = `<img src=x onerror="window.ran=1"><script>window.ran=1</script><svg onload="window.ran=1">`

// TestMarkupStaysText has markup in keys, values and names of clients shown as it is written.
func TestMarkupStaysText(t *testing.T) {
	s := serve(t)
	c := s.client(markup)
	keys := []string{
		"/x/" + strings.ReplaceAll(markup, "/", "|"), "/x/javascript:alert(1)", "/x/\u202egnp.exe", "/x/line\nbreak", "/x/%41", "/x/\xff\x00", "/x/${alert(1)}", "/x/{{7*7}}",
	}
	for i, key := range keys {
		for version := range 2 {
			s.put(c, key, fmt.Sprintf("%s %d %d", markup, i, version))
		}
	}
	object := `{"apiVersion":"v1","kind":"` + "<b>Kind" + `","metadata":{"name":"<img src=x onerror=window.ran=1>","annotations":{"<script>window.ran=1</script>":"</pre><script>window.ran=1</script>"}}}`
	s.put(c, "/x/object", object)
	p := s.open(wide, false)

	p.view("#/keys?prefix=/x/")
	p.awaitText("[role=treeitem]", `<img src=x onerror="window.ran=1">`)
	p.awaitText("[role=treeitem]", "%E2%80%AEgnp.exe")
	p.awaitText("[role=treeitem]", "line%0Abreak")
	p.awaitText("[role=treeitem]", "%2541")
	p.awaitText("[role=treeitem]", "%FF%00")
	rows := eval[int](p, `document.querySelectorAll("[role=treeitem]").length`)
	require.Equal(t, len(keys)+1, rows)
	for i := range rows {
		p.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelectorAll("[role=treeitem]")[%d].click()`, i)))
		name := eval[string](p, fmt.Sprintf(`document.querySelectorAll("[role=treeitem]")[%d].textContent`, i))
		p.awaitText(".keyname", name)
		p.awaitText("pre", "window.ran=1")
		p.do(chromedp.Evaluate[chromedp.Void](`document.getElementById("tab-history").click()`))
		p.awaitText(".history", "window.ran=1")
	}
	p.picture("hostile")
	p.view("#/keys?text=img%20src")
	p.awaitText(".results", `<img src=x onerror="window.ran=1">`)
	p.view("#/keys?prefix=" + "%3Cimg src=x onerror=window.ran=1%3E" + "&live=*")
	p.awaitText("[role=status]", "Watching")
	s.put(c, keys[0], "once more")
	p.awaitText(".live tbody", `<img src=x onerror="window.ran=1">`)
	p.view("#/usage")
	p.awaitText("tbody", `<img src=x onerror="window.ran=1">`)
	p.picture("hostile-usage")

	require.False(t, eval[bool](p, "'ran' in window"), "markup ran")
	require.Equal(t, 1, eval[int](p, `document.querySelectorAll("img").length`), "the only picture is the page's own")
	p.quiet()
}

// TestPageMayDoNothingElse has the browser refuse what the page itself never tries.
func TestPageMayDoNothingElse(t *testing.T) {
	s := serve(t)
	p := s.open(wide, false)
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerHTML = "<b>x</b>"`))
	require.ErrorContains(t, err, "TrustedHTML")
	require.Equal(t, "refused", eval[string](p, `fetch("http://127.0.0.1:1/").then(() => "sent", () => "refused")`))
	require.Equal(t, "refused", eval[string](p, `new Promise(done => { const s = document.createElement("link"); s.rel = "stylesheet"; s.href = "http://`+s.Endpoint+`/x.css"; s.onload = () => done("loaded"); s.onerror = () => done("refused"); document.head.append(s) })`))
}
