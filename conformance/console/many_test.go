package console

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

const (
	many = 100_000
	// longestTask and longestGap are how long the page may not answer, and show no new picture, in milliseconds: what a
	// user would feel is 100. A loaded machine without a graphics card takes longer than a desk.
	longestTask = 200
	longestGap  = 400
)

// measure notes tasks of 50 ms and more, and the gaps between pictures, until stop is called.
const measure = `(() => {
  const m = window.measured = { longest: 0, tasks: 0, gap: 0, frames: 0, running: true };
  new PerformanceObserver(list => list.getEntries().forEach(e => { m.tasks++; m.longest = Math.max(m.longest, e.duration) })).observe({ entryTypes: ["longtask"] });
  let last = performance.now();
  const frame = now => { m.gap = Math.max(m.gap, now - last); last = now; m.frames++; if (m.running) requestAnimationFrame(frame) };
  requestAnimationFrame(frame);
})()`

// scrollToEnd scrolls a window's height with each picture, as far as there are keys.
const scrollToEnd = `new Promise(done => {
  const tree = document.querySelector("[role=tree]");
  let still = 0, top = -1;
  const step = () => {
    tree.scrollTop += tree.clientHeight * 8;
    const waits = tree.querySelector(".row.more") !== null;
    still = tree.scrollTop === top && !waits ? still + 1 : 0;
    top = tree.scrollTop;
    still > 10 ? done(document.querySelector(".rows").clientHeight / 26) : requestAnimationFrame(step);
  };
  step();
})`

// scrolls is how often it is tried.
const scrolls = 3

// measured is in milliseconds.
type measured struct{ Longest, Gap, Tasks, Frames float64 }

func (m measured) smooth() bool { return m.Longest < longestTask && m.Gap < longestGap }

// scroll opens the folder anew, and scrolls through all of it.
func (p *page) scroll() (m measured) {
	p.t.Helper()
	p.view("#/keys?prefix=/nothing/")
	p.awaitText("[role=treeitem]", "No keys")
	p.view("#/keys?prefix=/bulk/")
	p.awaitText("[role=treeitem]", "key-000000")
	p.do(chromedp.Evaluate[chromedp.Void](measure))
	require.EqualValues(p.t, many, eval[int](p, scrollToEnd), "rows")
	m = eval[measured](p, `(measured.running = false, {Longest: measured.longest, Gap: measured.gap, Tasks: measured.tasks, Frames: measured.frames})`)
	p.awaitText("[role=treeitem]", fmt.Sprintf("key-%06d", many-1))
	require.Less(p.t, eval[int](p, `document.querySelectorAll("[role=treeitem]").length`), 200, "rows that are drawn")
	p.t.Logf("scrolled through %d keys: longest task %.0f ms, %.0f of 50 ms and more; longest gap between %.0f pictures %.0f ms", many, m.Longest, m.Tasks, m.Frames, m.Gap)
	return m
}

// TestManyKeys scrolls through 100,000 keys in one folder, and searches them, without the page standing still.
func TestManyKeys(t *testing.T) {
	s := serve(t)
	s.fillMany("/bulk/", many)
	p := s.open(wide, false)
	// What else the machine does makes a scroll slower, and none quicker: the best one tells of the page.
	var m measured
	for range scrolls {
		if m = p.scroll(); m.smooth() {
			break
		}
	}
	require.True(t, m.smooth(), "the page stands still")

	p.view("#/keys?text=KEY-099")
	// The search tells of the first 200.
	p.awaitText("[role=status]", "200 found among 99,200 keys, so far")
	p.awaitText(".results", "key-099000")
	p.quiet()
}
