package console

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestPages goes through the views in both themes, on a wide and a narrow window. axe-core finds nothing to complain of.
func TestPages(t *testing.T) {
	s := serve(t)
	s.fillCluster()
	load, stop := context.WithCancel(context.Background())
	done := s.load(load)
	defer func() { stop(); <-done }()
	for _, at := range []size{wide, narrow} {
		for _, dark := range []bool{false, true} {
			theme := "light"
			if dark {
				theme = "dark"
			}
			name := func(view string) string { return fmt.Sprintf("%s-%s-%d", view, theme, at.width) }
			t.Run(name("views"), func(t *testing.T) {
				p := (&served{s.Zkine, t}).open(at, dark)
				p.look(name)
				p.quiet("404")
			})
		}
	}
}

// look looks at each view.
func (p *page) look(name func(string) string) {
	p.t.Helper()
	p.await(`document.querySelectorAll(".plot canvas").length > 5`)
	p.await(`[...document.querySelectorAll(".legend b")].some(b => b.textContent.endsWith("/s"))`)
	p.seen(name("overview"))

	p.view("#/cluster")
	p.awaitText("td", "standalone")
	p.awaitText("td", "keeper")
	p.seen(name("cluster"))

	p.view("#/usage")
	p.awaitText("tbody td", "shop")
	p.awaitText("tbody td", "kube-apiserver")
	p.seen(name("usage"))

	p.view("#/keys")
	p.awaitText("[role=treeitem]", "/registry/")
	p.seen(name("keys-empty"))

	p.view("#/keys?prefix=/registry/pods/shop/&key=/registry/pods/shop/web-0")
	p.awaitText("pre", "phase: Running")
	p.seen(name("value"))

	p.view("#/keys?prefix=/registry/&key=/registry/secrets/shop/db")
	p.awaitText("pre", "kind: Secret")
	if eval[bool](p, fmt.Sprintf("document.documentElement.outerHTML.includes(%q)", password)) {
		p.t.Error("the page has the data of a Secret")
	}
	p.seen(name("secret"))

	p.view("#/keys?prefix=/registry/&key=/registry/stable.example.com/crontabs/shop/nightly")
	p.awaitText("pre", "kind: CronTab")
	p.do(chromedp.Click("#tab-history"))
	p.awaitText(".diff", "image: registry.example/backup:1.3")
	p.seen(name("history"))

	p.view("#/keys?text=SHOP")
	p.awaitText(".results", "/registry/pods/shop/web-0")
	p.seen(name("search"))

	p.view("#/keys?live=*")
	p.awaitText(".live tbody", "/registry/leases/kube-node-lease/")
	p.seen(name("live"))

	p.view("#/keys?prefix=/nothing/&key=/nothing/here")
	p.awaitText(".shown", "does not exist")
	p.seen(name("missing"))
}

// seen keeps a picture, and asks axe-core. Nothing is wider than the window.
func (p *page) seen(name string) {
	p.t.Helper()
	p.picture(name)
	p.accessible(name)
	if !eval[bool](p, "document.documentElement.scrollWidth <= innerWidth") {
		p.t.Errorf("%s is wider than the window", name)
	}
}

// load has the store be busy, until ctx ends.
func (s *served) load(ctx context.Context) (done chan struct{}) {
	s.t.Helper()
	c := s.client("kubelet/v1.37.2")
	lease := s.sample("lease")
	done = make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ctx.Err() == nil; i++ {
			_, _ = c.Put(ctx, fmt.Sprintf("/registry/leases/kube-node-lease/node-%d", i%30), lease) // it ends with ctx
			_, _ = c.Get(ctx, fmt.Sprintf("/registry/pods/shop/web-%d", i%30))
		}
	}()
	return done
}
