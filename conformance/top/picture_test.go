package top

import (
	"flag"
	"fmt"
	"html"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// picture makes docs/top/page.svg: cd conformance && go test ./top -run TestPage -picture=$PWD/../docs/top/page.svg
var picture = flag.String("picture", "", "where TestPage writes a picture of its page, an SVG")

const (
	cellWidth, cellHeight = 8.4, 18 // of 14px in most fonts of equal widths
	paper, ink            = "#ffffff", "#1f2328"
	red, grey             = "#cf222e", "#6e7781"
)

// draws writes what the screen shows, if that was asked for.
func (r *terminal) draws(file string) {
	r.t.Helper()
	if file != "" {
		require.NoError(r.t, os.WriteFile(file, []byte(r.svg()), 0o644))
	}
}

// svg is the screen, cell by cell.
func (r *terminal) svg() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	width, height := r.screen.Width(), r.screen.Height()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.1f %d" font-family="ui-monospace,Menlo,Consolas,monospace" font-size="14">`+"\n",
		float64(width+2)*cellWidth, (height+1)*cellHeight)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="%s"/>`+"\n", paper)
	for y := range height {
		for x := 0; x < width; {
			from, style, text := x, "", ""
			for ; x < width; x++ {
				cell := r.screen.CellAt(x, y)
				look, content := "", " "
				if cell != nil {
					look, content = cell.Style.String(), cell.Content
				}
				if x > from && look != style {
					break
				}
				style = look
				text += content
			}
			b.WriteString(drawn(text, style, from, y, x-from))
		}
	}
	return b.String() + "</svg>\n"
}

// drawn is a text of one style, which is what would have a terminal show it so.
func drawn(text, style string, x, y, cells int) string {
	fill, box, more := ink, "", ""
	left, top, wide := float64(x+1)*cellWidth, y*cellHeight+cellHeight/2, float64(cells)*cellWidth
	for code := range strings.SplitSeq(strings.TrimSuffix(strings.TrimPrefix(style, "\x1b["), "m"), ";") {
		switch code {
		case "1":
			more += ` font-weight="bold"`
		case "2":
			fill = grey
		case "4":
			more += ` text-decoration="underline"`
		case "7":
			fill, box = paper, fmt.Sprintf(`<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`, left, top, wide, cellHeight, ink)
		case "31", "91":
			fill = red
		}
	}
	if strings.TrimSpace(text) == "" && box == "" {
		return ""
	}
	return fmt.Sprintf(`%s<text x="%.1f" y="%d" textLength="%.1f" fill="%s"%s>%s</text>`+"\n",
		box, left, top+cellHeight-5, wide, fill, more, html.EscapeString(strings.ReplaceAll(text, " ", "\u00a0"))) // spaces that are kept
}

// TestPictures are of what the screen shows.
func TestPictures(t *testing.T) {
	require.Equal(t, `<text x="8.4" y="22" textLength="16.8" fill="#cf222e" font-weight="bold">a&lt;</text>`+"\n", drawn("a<", "\x1b[1;31m", 0, 0, 2))
	require.Empty(t, drawn("  ", "", 0, 0, 2))
}
