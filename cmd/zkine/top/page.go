package top

import (
	"context"
	"time"

	"github.com/gdamore/tcell/v3"
	"github.com/gdamore/tcell/v3/color"
)

// patience is how long a snapshot may take at most, or the interval if that is longer.
const patience = 5 * time.Second

// Run shows the page on the terminal until it is quit, or ctx ends. However it ends, by a
// panic too, the terminal is as it was. NO_COLOR is heeded. Errors: those of the terminal.
func Run(ctx context.Context, g *Gatherer, interval time.Duration) error {
	screen, err := tcell.NewScreen()
	if err != nil {
		return err
	}
	return on(ctx, screen, &view{order: orders[0]}, func(ctx context.Context) <-chan gathering {
		return asking(ctx, interval, func() *Snapshot {
			ctx, cancel := context.WithTimeout(ctx, max(interval, patience))
			defer cancel()
			return g.Gather(ctx, interval)
		})
	})
}

// on shows the page on a screen, which it gives back.
func on(ctx context.Context, screen tcell.Screen, v *view, gather func(context.Context) <-chan gathering) error {
	if err := screen.Init(); err != nil {
		return err
	}
	defer screen.Fini()
	return show(ctx, screen, v, gather)
}

// gathering is what show hears of one that asks.
type gathering struct {
	snapshot *Snapshot
	// panicked is what the goroutine has panicked with. The one that draws does so, since
	// it gives the terminal back.
	panicked any
}

// asking asks again and again, an interval after the last time began, until ctx ends,
// which closes the channel.
func asking(ctx context.Context, interval time.Duration, ask func() *Snapshot) <-chan gathering {
	out := make(chan gathering)
	tell := func(g gathering) bool {
		select {
		case out <- g:
			return true
		case <-ctx.Done():
			return false
		}
	}
	go func() {
		defer close(out)
		defer func() {
			if p := recover(); p != nil {
				tell(gathering{panicked: p})
			}
		}()
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for tell(gathering{snapshot: ask()}) {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// show draws what there is to see, and hears keys.
func show(ctx context.Context, screen tcell.Screen, v *view, gather func(context.Context) <-chan gathering) error {
	ctx, cancel := context.WithCancel(ctx)
	snapshots := gather(ctx)
	defer func() {
		cancel()
		for range snapshots { // it uses nothing any more
		}
	}()
	screen.HideCursor()
	for {
		v.draw(screen)
		select {
		case <-ctx.Done():
			return nil
		case s, ok := <-snapshots:
			switch {
			case !ok:
				return nil
			case s.panicked != nil:
				panic(s.panicked)
			}
			v.take(s.snapshot)
		case event, ok := <-screen.EventQ():
			if !ok || v.hear(event, screen) {
				return nil
			}
		}
	}
}

// hear does what a key asks for; quit says that it is to end.
func (v *view) hear(event tcell.Event, screen tcell.Screen) (quit bool) {
	switch e := event.(type) {
	case *tcell.EventResize:
		screen.Sync()
	case *tcell.EventKey:
		if !e.Pressed() {
			return false
		}
		return v.key(e, screen)
	}
	return false
}

func (v *view) key(e *tcell.EventKey, screen tcell.Screen) (quit bool) {
	_, height := screen.Size()
	switch e.Key() {
	case tcell.KeyCtrlC:
		return true
	case tcell.KeyEscape:
		v.help = false
	case tcell.KeyTab:
		v.shown, v.scroll = (v.shown+1)%shownAll, 0
	case tcell.KeyUp:
		v.scroll--
	case tcell.KeyDown:
		v.scroll++
	case tcell.KeyPgUp:
		v.scroll -= height / 2
	case tcell.KeyPgDn:
		v.scroll += height / 2
	case tcell.KeyHome:
		v.scroll = 0
	case tcell.KeyCtrlL:
		screen.Sync()
	case tcell.KeyRune:
		return v.char(e)
	}
	v.scroll = max(0, min(v.scroll, v.rows()-1))
	return false
}

// rows is how many the longest of the tables that scroll has.
func (v *view) rows() int {
	if v.now == nil {
		return 1
	}
	return max(len(v.now.Usage.Prefixes), len(v.now.Usage.Clients), 1)
}

func (v *view) char(e *tcell.EventKey) (quit bool) {
	if e.Str() == "c" && e.Modifiers()&tcell.ModCtrl != 0 {
		return true
	}
	switch e.Str() {
	case "q":
		return true
	case "p", " ":
		v.paused = !v.paused
	case "?", "h":
		v.help = !v.help
	}
	for _, r := range e.Str() {
		if o, ok := orderOf(r); ok {
			v.order, v.scroll = o, 0
		}
	}
	return false
}

// draw draws the page.
func (v *view) draw(screen tcell.Screen) {
	width, height := screen.Size()
	screen.Clear()
	for y, l := range v.lines(width, height) {
		x := 0
		for _, s := range l {
			rest, style := s.text, styles[s.look]
			for rest != "" && x < width {
				var w int
				if rest, w = screen.Put(x, y, rest, style); w == 0 {
					break
				}
				x += w
			}
		}
	}
	screen.Show()
}

// styles need no colour to be told apart.
var styles = [...]tcell.Style{
	plain:    tcell.StyleDefault,
	strong:   tcell.StyleDefault.Bold(true),
	faint:    tcell.StyleDefault.Dim(true),
	heading:  tcell.StyleDefault.Reverse(true),
	chosen:   tcell.StyleDefault.Reverse(true).Bold(true).Underline(true),
	alarming: tcell.StyleDefault.Bold(true).Foreground(color.Red),
}
