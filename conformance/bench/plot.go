package main

import (
	"os"
	"path/filepath"

	"github.com/zkine/zkine/conformance/bench/contender"
)

// chart is one plot.
type chart struct {
	file, title  string
	xName, yName string
	lines        []curve
	ticks        []tick // of the x axis
	logarithmic  bool   // the y axis; the x axis always is
}

// curve is one contender's.
type curve struct {
	name   string
	dashed bool
	points [][2]float64
}

type tick struct {
	at    float64
	label string
}

// plot writes every chart that has data into the folder.
func plot(dir string, records []record) error {
	for _, c := range charts(records) {
		if len(c.lines) == 0 {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.svg()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func charts(records []record) []chart {
	clients, clientTicks := across(func(p point) bool { return p.workload == "update" }, func(p point) int { return p.clients })
	watchers, watcherTicks := across(func(p point) bool { return p.workload == "watch" }, func(p point) int { return p.watchers })
	latency := chart{file: "update-latency.svg", title: "Latency of updates: median (solid) and 99th percentile (dashed)",
		xName: "clients, each with one update under way", yName: "ms", ticks: clientTicks, logarithmic: true}
	latency.lines = append(curves(records, clients, p50, false, contender.Names()), curves(records, clients, p99, true, contender.Names())...)
	return []chart{
		{file: "update-throughput.svg", title: "Updates of 1 KiB values", xName: "clients, each with one update under way",
			yName: "updates/s", ticks: clientTicks, lines: curves(records, clients, perSecond, false, contender.Names())},
		latency,
		{file: "watch.svg", title: "Delivery to watchers of one prefix", xName: "watchers", yName: "events/s",
			ticks: watcherTicks, lines: curves(records, watchers, itemsPerSecond, false, contender.Names())},
		tail("update-half.svg", "Updates at half of the load that etcd takes", "update-half/100", records),
		tail("update-half-own.svg", "Updates at half of the load that each takes itself", "update-half-own/100", records),
	}
}

// across are the points of a chart with their places on its x axis.
func across(want func(point) bool, x func(point) int) (places map[string]float64, ticks []tick) {
	places = make(map[string]float64)
	for _, p := range points {
		if want(p) {
			places[p.String()] = float64(x(p))
			ticks = append(ticks, tick{float64(x(p)), number(float64(x(p)))})
		}
	}
	return places, ticks
}

// curves are the contenders' medians.
func curves(records []record, places map[string]float64, of metric, dashed bool, names []string) []curve {
	var all []curve
	for _, name := range names {
		c := curve{name: name, dashed: dashed}
		for _, p := range points {
			x, ok := places[p.String()]
			if !ok {
				continue
			}
			if y, ok := median(records, p.String(), name, of); ok {
				c.points = append(c.points, [2]float64{x, y})
			}
		}
		if len(c.points) > 0 {
			all = append(all, c)
		}
	}
	return all
}

// tail is a chart of the slowest operations of a point: the x axis is one in how many is slower.
func tail(file, title, point string, records []record) chart {
	c := chart{file: file, title: title, xName: "percentile", yName: "ms", logarithmic: true}
	steps := []struct {
		tick
		of metric
	}{
		{tick{2, "50"}, p50},
		{tick{10, "90"}, func(r record) float64 { return r.Result.Latency.P90 }},
		{tick{100, "99"}, p99},
		{tick{1000, "99.9"}, p999},
	}
	for _, s := range steps {
		c.ticks = append(c.ticks, s.tick)
	}
	for _, name := range contender.Names() {
		line := curve{name: name}
		for _, s := range steps {
			if y, ok := median(records, point, name, s.of); ok {
				line.points = append(line.points, [2]float64{s.at, y})
			}
		}
		if len(line.points) > 0 {
			c.lines = append(c.lines, line)
		}
	}
	return c
}

// colors are the contenders' in every chart.
var colors = map[string]string{
	"before1": "#c9b3e6", "before3": "#8a5fc7",
	"zkine1": "#7fb3ff", "zkine3": "#0b5fd6", "etcd1": "#f2a65a", "etcd3": "#c4510a",
	"kine": "#9ccc9c", "kine-full": "#3a8f3a", "bare1": "#bbbbbb", "bare3": "#777777",
}
