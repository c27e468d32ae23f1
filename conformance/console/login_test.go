package console

import (
	"context"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// haveUsers has users count: root, and a reader of pods alone.
func (s *served) haveUsers() {
	s.t.Helper()
	c := s.client("setup")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, err := range []error{
		second(c.UserAdd(ctx, "root", "r00t")), second(c.UserGrantRole(ctx, "root", "root")), second(c.UserAdd(ctx, "reader", "secret")), second(c.RoleAdd(ctx, "pods")),
		second(c.RoleGrantPermission(ctx, "pods", "/registry/pods/", "/registry/pods0", clientv3.PermissionType(clientv3.PermRead))),
		second(c.UserGrantRole(ctx, "reader", "pods")), second(c.AuthEnable(ctx)),
	} {
		require.NoError(s.t, err)
	}
}

// TestLogin has a user see what the user may read, and nothing before the login or after.
func TestLogin(t *testing.T) {
	s := serve(t)
	s.fillCluster()
	s.haveUsers()
	p := s.open(wide, true)
	p.awaitText("h1", "Log in")
	p.picture("login-dark-1280")
	p.accessible("login")
	p.logIn("reader", "wrong")
	p.awaitText("[role=alert]", "authentication failed")
	p.logIn("reader", "secret")
	p.await(`document.querySelectorAll(".plot canvas").length > 5`)

	p.view("#/keys")
	p.awaitText("[role=treeitem]", "permission denied")
	p.view("#/keys?prefix=/registry/pods/&key=/registry/secrets/shop/db")
	p.awaitText("[role=treeitem]", "shop/")
	p.awaitText(".shown", "permission denied")
	p.view("#/keys?prefix=/registry/pods/&key=/registry/pods/shop/web-1")
	p.awaitText("pre", "phase: Running")
	p.view("#/usage")
	p.awaitText("[role=alert]", "permission denied")
	require.False(t, eval[bool](p, `JSON.stringify({...localStorage, ...sessionStorage, c: document.cookie}).includes("token")`))

	p.do(chromedp.Reload())
	p.awaitText("h1", "Log in")
	p.logIn("root", "r00t")
	p.await(`document.querySelectorAll("tbody tr").length > 2`)
	p.picture("usage-of-root")
	p.quiet("401", "403", "400")
}

func second(_ any, err error) error { return err }

func (p *page) logIn(name, password string) {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("[name=username]").value = ""; document.querySelector("[name=username]").focus()`),
		chromedp.KeyEvent(name+kb.Tab+password+kb.Enter))
}
