package console

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

var (
	browser  = flag.Bool("browser", false, "look at the console in a real Chromium")
	pictures = flag.String("pictures", "", "`folder` for the pictures of each view")
)

// patience bounds each wait; a loaded machine is slow, not wrong.
const patience = time.Minute

func TestMain(m *testing.M) { zktest.Main(m) }

// served is a zkine whose console is looked at.
type served struct {
	*rigtest.Zkine
	t *testing.T
}

// serve starts a zkine.
func serve(t *testing.T, args ...string) *served {
	t.Helper()
	if !*browser {
		t.Skip("it needs a browser: make console-test runs it")
	}
	program, err := build()
	require.NoError(t, err)
	return &served{rigtest.StartAs(t, rig.ZkineConfig{Program: program, Name: "zkine-a", ZooKeeper: zktest.Shared(t).Addr(), Root: zktest.Root(t), Args: args}), t}
}

// build makes zkine as people run it: what is measured is the page.
var build = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*patience)
	defer cancel()
	return rig.BuildZkine(ctx)
})

// page is a tab of a browser.
type page struct {
	t    *testing.T
	ctx  context.Context
	base string

	mu sync.Mutex
	// said is what the page has said on its console, and what the browser has refused it.
	said []string
}

// size is a window's.
type size struct{ width, height int64 }

var (
	wide   = size{1280, 860}
	narrow = size{390, 800}
)

// open opens the console in a browser of its own.
func (s *served) open(at size, dark bool) *page {
	s.t.Helper()
	program, err := exec.LookPath("chromium")
	require.NoError(s.t, err, "apt-get install chromium")
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.WindowSize(int(at.width), int(at.height)), chromedp.Flag("font-render-hinting", "none"))...)
	s.t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	s.t.Cleanup(cancel)
	p := &page{t: s.t, ctx: ctx, base: "http://" + s.Metrics + "/console/"}
	said := chromedp.Console(ctx)
	go func() {
		for m, err := range said {
			if err != nil {
				return // the browser has ended
			}
			p.mu.Lock()
			p.said = append(p.said, m.Text+" "+m.URL)
			p.mu.Unlock()
		}
	}()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	p.do(chromedp.EmulateViewport(at.width, at.height))
	_, err = chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	require.NoError(s.t, err)
	p.do(chromedp.Navigate(p.base))
	p.await(`document.querySelector("main h1")`)
	return p
}

// quiet has nothing have gone wrong on the page.
func (p *page) quiet(but ...string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, text := range p.said {
		expected := false
		for _, b := range but {
			expected = expected || strings.Contains(text, b)
		}
		require.True(p.t, expected, "the page says: %s", text)
	}
}

func (p *page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	require.NoError(p.t, chromedp.Do(ctx, actions...))
}

// eval evaluates an expression, of which a promise is waited for.
func eval[T any](p *page, expression string) (out T) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	out, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(p.t, err, expression)
	return out
}

// await waits until an expression is true.
func (p *page) await(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := rig.Poll(ctx, func() error {
		if eval[bool](p, "Boolean("+expression+")") {
			return nil
		}
		return fmt.Errorf("not yet: %s", expression)
	})
	if err != nil {
		p.picture("failed")
	}
	require.NoError(p.t, err)
}

// awaitText waits until an element holds a text.
func (p *page) awaitText(selector, text string) {
	p.t.Helper()
	p.await(fmt.Sprintf("[...document.querySelectorAll(%q)].some(e => e.textContent.includes(%q))", selector, text))
}

// view goes to a view.
func (p *page) view(hash string) {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf("location.hash = %q", hash)))
}

// picture keeps a picture of the page, if pictures are asked for.
func (p *page) picture(name string) {
	p.t.Helper()
	if *pictures == "" {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	require.NoError(p.t, err)
	require.NoError(p.t, os.MkdirAll(*pictures, 0o755))
	require.NoError(p.t, os.WriteFile(filepath.Join(*pictures, name+".png"), png, 0o644))
}

// accessible has axe-core find nothing on the page as it is.
func (p *page) accessible(what string) {
	p.t.Helper()
	root, err := rig.Checkout()
	require.NoError(p.t, err)
	axe, err := os.ReadFile(filepath.Join(root, ".cache/console/web/node_modules/axe-core/axe.min.js"))
	require.NoError(p.t, err, "make console gets it")
	p.do(chromedp.Evaluate[chromedp.Void](string(axe) + "\n;0"))
	found := eval[[]string](p, `axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.map(v =>
		v.id + ": " + v.help + " " + v.nodes.map(n => n.html.slice(0, 200) + " " + n.any.map(a => a.message).join("; ")).slice(0, 3).join(" | ")))`)
	require.Empty(p.t, found, what)
}
