package console

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// windows are the sizes and themes that a state is looked at in.
func (s *served) windows(see func(p *page, name func(string) string)) {
	s.t.Helper()
	for _, at := range []struct {
		size
		dark bool
		name string
	}{{wide, false, "light-1280"}, {narrow, true, "dark-390"}, {wide, true, "dark-1280"}, {narrow, false, "light-390"}} {
		s.t.Run(at.name, func(t *testing.T) {
			p := (&served{s.Zkine, t}).open(at.size, at.dark)
			see(p, func(view string) string { return view + "-" + at.name })
		})
	}
}

// TestEmptyStore has each view say something when there is nothing to see.
func TestEmptyStore(t *testing.T) {
	s := serve(t)
	s.windows(func(p *page, name func(string) string) {
		p.await(`document.querySelectorAll(".plot canvas").length > 5`)
		p.seen(name("none-overview"))
		p.view("#/keys")
		p.awaitText("[role=treeitem]", "No keys")
		p.seen(name("none-keys"))
		p.view("#/keys?text=anything")
		p.awaitText("[role=status]", "0 found among 0 keys")
		p.view("#/keys?live=*")
		p.awaitText(".live", "Nothing has changed since")
		p.seen(name("none-live"))
		p.quiet()
	})
}

// TestLargeThings has keys and values that are longer than any window shown within it.
func TestLargeThings(t *testing.T) {
	s := serve(t)
	c := s.client("setup")
	long := "/long/" + strings.Repeat("abcdefghij", 300)
	s.put(c, long, "short")
	s.put(c, "/huge/lines", strings.Repeat("a line of text\n", 90_000))
	s.put(c, "/huge/line", strings.Repeat("x", 1_300_000))
	s.windows(func(p *page, name func(string) string) {
		p.view("#/keys?prefix=/long/&key=" + long)
		p.awaitText("pre", "short")
		p.seen(name("long-key"))
		p.view("#/keys?text=ghija")
		p.awaitText(".results", "abcdefghij")
		p.seen(name("long-found"))
		for _, key := range []string{"/huge/lines", "/huge/line"} {
			p.view("#/keys?prefix=/huge/&key=" + key)
			p.awaitText(".shown", "It is longer than what is shown")
			p.await(`document.querySelector("pre").textContent.length > 1000000`)
			p.seen(name(strings.ReplaceAll(key[1:], "/", "-")))
		}
		p.quiet()
	})
}

// TestZooKeeperAway has the page say so, and show what zkine knows.
func TestZooKeeperAway(t *testing.T) {
	if !*browser {
		t.Skip("it needs a browser: make console-test runs it")
	}
	program, err := build()
	require.NoError(t, err)
	proxy := zktest.NewProxy(t, zktest.Shared(t).Addr())
	s := &served{rigtest.StartAs(t, rig.ZkineConfig{Program: program, Name: "zkine-a", ZooKeeper: proxy.Addr(), Root: zktest.Root(t), Args: []string{"--zookeeper-session-timeout=4s"}}), t}
	s.fillCluster()
	proxy.Refuse()
	proxy.CutAll()
	s.windows(func(p *page, name func(string) string) {
		p.awaitText(".tile.bad", "no leader")
		p.await(`document.querySelectorAll(".plot canvas").length > 5`)
		p.seen(name("away-overview"))
		p.view("#/cluster")
		p.awaitText("td.bad", "")
		p.seen(name("away-cluster"))
		p.view("#/keys?prefix=/registry/&key=/registry/pods/shop/web-0")
		p.awaitText("pre", "phase: Running")
		p.seen(name("away-value"))
	})
	p := s.open(wide, false)
	p.awaitText(".tile.bad", "no leader")
	proxy.Accept()
	p.awaitText(".tile", "keeper zkine-a")
	p.await(`document.querySelector(".tile.bad") === null`)
}

// TestRestart has an open page go on by itself after zkine was away.
func TestRestart(t *testing.T) {
	s := serve(t)
	s.fillCluster()
	c := s.client("setup")
	live, value, overview := s.open(wide, false), s.open(narrow, true), s.open(wide, true)
	live.view("#/keys?live=*")
	live.awaitText("[role=status]", "Watching")
	value.view("#/keys?prefix=/plain/&key=/plain/text")
	value.awaitText("pre", "hello")
	overview.await(`document.querySelectorAll(".plot canvas").length > 5`)
	s.Kill()
	overview.awaitText("[role=alert]", "zkine does not answer")
	overview.picture("gone-overview")
	live.awaitText("[role=status]", "Trying again")
	live.picture("gone-live")
	s.Start()
	overview.await(`document.querySelector("[role=alert]") === null`)
	overview.picture("back-overview")
	live.awaitText("[role=status]", "Watching again")
	s.put(c, "/plain/text", "and again")
	live.awaitText(".live tbody", "/plain/text")
	value.awaitText("pre", "and again")
	live.picture("back-live")
}

// TestUserOfOnePrefix has a user who may read little find what that is.
func TestUserOfOnePrefix(t *testing.T) {
	s := serve(t)
	s.fillCluster()
	s.haveUsers()
	s.windows(func(p *page, name func(string) string) {
		p.awaitText("h1", "Log in")
		p.seen(name("login"))
		p.logIn("reader", "secret")
		p.await(`document.querySelectorAll(".plot canvas").length > 5`)
		for view, selector := range map[string]string{"cluster": "[role=alert]", "usage": "[role=alert]", "keys": "[role=treeitem]"} {
			p.view("#/" + view)
			p.awaitText(selector, "permission denied")
			p.seen(name("little-" + view))
		}
		p.view(fmt.Sprintf("#/keys?prefix=%s&key=%s", "/registry/pods/", "/registry/pods/shop/web-1"))
		p.awaitText("pre", "phase: Running")
		p.seen(name("little-value"))
	})
}
