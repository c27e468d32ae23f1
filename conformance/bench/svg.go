package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The picture's measures, in pixels.
const (
	width, height            = 760, 420
	left, right, top, bottom = 70, 150, 40, 50
)

// svg draws a chart.
func (c chart) svg() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		width, height, width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	text(&b, left, top-18, "start", c.title, `font-size="14" font-weight="bold"`)
	text(&b, (left+width-right)/2, height-12, "middle", c.xName, "")
	text(&b, left-8, top-4, "end", c.yName, "")
	x, y := c.xAxis(), c.yAxis()
	for _, t := range c.ticks {
		line(&b, x.place(t.at), top, x.place(t.at), height-bottom, "#eeeeee")
		text(&b, x.place(t.at), height-bottom+18, "middle", t.label, "")
	}
	for _, v := range y.ticks() {
		line(&b, left, y.place(v), width-right, y.place(v), "#dddddd")
		text(&b, left-8, y.place(v)+4, "end", number(v), "")
	}
	c.draw(&b, x, y)
	b.WriteString("</svg>\n")
	return b.String()
}

// draw draws the curves and names them.
func (c chart) draw(b *strings.Builder, x, y axis) {
	named := make(map[string]bool)
	for _, l := range c.lines {
		var path []string
		for _, p := range l.points {
			path = append(path, fmt.Sprintf("%.1f,%.1f", x.place(p[0]), y.place(p[1])))
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x.place(p[0]), y.place(p[1]), colors[l.name])
		}
		dash := ""
		if l.dashed {
			dash = ` stroke-dasharray="6 4"`
		}
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"%s/>`+"\n", strings.Join(path, " "), colors[l.name], dash)
		if !named[l.name] {
			at := float64(top + 18*len(named))
			line(b, width-right+14, at, width-right+38, at, colors[l.name])
			text(b, width-right+44, at+4, "start", l.name, "")
			named[l.name] = true
		}
	}
}

// axis maps values to places.
type axis struct {
	low, high   float64 // values
	from, to    float64 // places
	logarithmic bool
}

func (a axis) place(v float64) float64 {
	low, high := a.low, a.high
	if a.logarithmic {
		low, high, v = math.Log(low), math.Log(high), math.Log(max(v, a.low))
	}
	if high == low {
		return (a.from + a.to) / 2
	}
	return a.from + (v-low)/(high-low)*(a.to-a.from)
}

// ticks are round values: 1, 2 and 5 times powers of ten.
func (a axis) ticks() []float64 {
	var all []float64
	if a.logarithmic {
		for power := math.Pow(10, math.Floor(math.Log10(a.low))); power <= a.high; power *= 10 {
			for _, m := range []float64{1, 2, 5} {
				if v := m * power; v >= a.low*0.999 && v <= a.high*1.001 {
					all = append(all, v)
				}
			}
		}
		return all
	}
	for v := 0.0; v <= a.high; v += roundStep(a.high / 5) {
		all = append(all, v)
	}
	return all
}

// roundStep is the next round value at or above.
func roundStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v {
			return m * power
		}
	}
	return 10 * power
}

func (c chart) xAxis() axis {
	a := axis{low: math.Inf(1), high: math.Inf(-1), from: left + 20, to: width - right - 20, logarithmic: true}
	for _, t := range c.ticks {
		a.low, a.high = min(a.low, t.at), max(a.high, t.at)
	}
	return a
}

func (c chart) yAxis() axis {
	low, high := math.Inf(1), 0.0
	for _, l := range c.lines {
		for _, p := range l.points {
			low, high = min(low, p[1]), max(high, p[1])
		}
	}
	a := axis{low: 0, high: max(high*1.05, 1e-9), from: height - bottom, to: top, logarithmic: c.logarithmic}
	if c.logarithmic {
		a.low = max(low, 1e-3) / 1.2
		a.high = max(high*1.2, a.low*10)
	}
	return a
}

func line(b *strings.Builder, x1, y1, x2, y2 float64, color string) {
	fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, color)
}

func text(b *strings.Builder, x, y float64, anchor, s, more string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>`+"\n", x, y, anchor, more, html.EscapeString(s))
}
