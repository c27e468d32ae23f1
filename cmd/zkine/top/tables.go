package top

import (
	"fmt"
	"strings"

	"github.com/zkine/zkine/revision/bytesize"
	"github.com/zkine/zkine/server/observe"
	"github.com/zkine/zkine/server/usage"
)

// column of a table. The first one of a table takes the width that the others leave.
type column struct {
	head  string
	width int
	// by is the order that the column shows; 0 for none.
	by rune
}

// row is the cells of the columns, or a first one and a text instead of the others.
type row struct {
	cells []string
	alarm string
}

type table struct {
	columns []column
	rows    []row
	order   rune
}

// lines has the heading and what fits of the rows, after the first ones; nothing if there
// is no room for one. A last row says how many there are not.
func (t table) lines(width, height, skip int) []line {
	if height < 2 {
		return nil
	}
	skip = max(0, min(skip, len(t.rows)-(height-1)))
	rows := t.rows[skip:]
	hidden := 0
	if len(rows) > height-1 {
		hidden = len(rows) - (height - 2)
		rows = rows[:height-2]
	}
	wide, columns := t.fitting(width)
	page := []line{t.heading(wide, columns)}
	for _, r := range rows {
		page = append(page, r.line(wide, width, columns))
	}
	if hidden > 0 {
		page = append(page, line{{fit(fmt.Sprintf("… %d more", hidden), width, false), faint}})
	}
	return page
}

// fitting are the columns that there is room for, besides leastFirst for the first one,
// and how wide that is.
func (t table) fitting(width int) (first int, columns []column) {
	const leastFirst = 16
	first = width
	for _, c := range t.columns[1:] {
		if first-c.width-1 < leastFirst {
			break
		}
		first -= c.width + 1
		columns = append(columns, c)
	}
	return first, columns
}

func (t table) heading(first int, columns []column) line {
	l := line{{fit(t.columns[0].head, first, false), heading}}
	for _, c := range columns {
		look := heading
		if c.by != 0 && c.by == t.order {
			look = chosen
		}
		l = append(l, span{" ", heading}, span{fit(c.head, c.width, true), look})
	}
	return l
}

func (r row) line(first, width int, columns []column) line {
	l := line{{fit(r.cells[0], first, false), plain}}
	if r.alarm != "" {
		name := min(first, max(16, width/3))
		return line{{fit(r.cells[0], name, false), plain}, {fit(" "+r.alarm, width-name, false), alarming}}
	}
	for i, c := range columns {
		l = append(l, span{" " + fit(r.cells[i+1], c.width, true), plain})
	}
	return l
}

func (v *view) memberTable() table {
	t := table{columns: []column{
		{head: "MEMBER"}, {head: "REVISION", width: 9}, {head: "LAG", width: 6}, {head: "RSS", width: 5}, {head: "CPU", width: 5},
		{head: "CONNS", width: 5}, {head: "STORE", width: 5}, {head: "UP", width: 5}, {head: "ENDPOINT", width: 26}, {head: "VERSION", width: 16},
	}}
	for i := range v.now.Members {
		m := &v.now.Members[i]
		name := m.Name
		if name == "" {
			name = m.Endpoint
		}
		r := row{cells: []string{name}, alarm: m.Error}
		if m.Error == "" && m.NotReady != "" {
			r.alarm = "does not serve: " + m.NotReady
		}
		if r.alarm == "" {
			if m.Keeper == m.ID && m.ID != 0 {
				r.cells[0] += " *"
			}
			lag := count(m.LagRevisions)
			if m.KnownIndex > m.AppliedIndex {
				lag += "+"
			}
			cpu := "-"
			if used := v.cpu(m); used >= 0 {
				cpu = fmt.Sprintf("%.0f%%", 100*used)
			}
			r.cells = append(r.cells, count(m.Revision), lag, bytesize.Short(m.ResidentBytes), cpu, fmt.Sprint(m.Connections),
				bytesize.Short(m.StoreBytes), since(m.UptimeSeconds), m.Endpoint, m.Version)
		}
		t.rows = append(t.rows, r)
	}
	return t
}

func (v *view) serverTable() table {
	t := table{columns: []column{
		{head: "ZOOKEEPER"}, {head: "MODE", width: 10}, {head: "ANSWERS", width: 7}, {head: "AVG", width: 6}, {head: "MAX", width: 7},
		{head: "CONNS", width: 5}, {head: "QUEUE", width: 5}, {head: "ZNODES", width: 8}, {head: "VERSION", width: 9}, {head: "ZXID", width: 18},
	}}
	if v.now.EnsembleError != "" {
		t.rows = []row{{cells: []string{"unknown"}, alarm: v.now.EnsembleError}}
	}
	for _, s := range v.now.Ensemble {
		t.rows = append(t.rows, serverRow(s))
	}
	return t
}

func serverRow(s observe.Server) row {
	if s.Error != "" {
		return row{cells: []string{s.Address}, alarm: s.Error}
	}
	return row{cells: []string{
		s.Address, s.Mode, millis(s.AnsweredMs), millis(s.LatencyAvgMs), millis(s.LatencyMaxMs),
		count(s.Connections), count(s.Outstanding), count(s.Znodes), s.Version, s.Zxid,
	}}
}

// busiestTables are those of prefixes and of clients, as far as they are shown.
func (v *view) busiestTables() (tables []table) {
	if v.shown != clientsOnly {
		tables = append(tables, v.prefixTable())
	}
	if v.shown != prefixesOnly {
		tables = append(tables, v.clientTable())
	}
	return tables
}

// activityColumns are those of prefixes and clients alike.
var activityColumns = []column{
	{head: "WRITES", width: 6, by: 'w'}, {head: "READS", width: 6, by: 'r'}, {head: "EVENTS", width: 6, by: 'e'},
	{head: "IN", width: 6, by: 'i'}, {head: "OUT", width: 6, by: 'o'}, {head: "WATCH", width: 6, by: 'n'}, {head: "ERRORS", width: 6, by: 'x'},
}

func activityCells(a *usage.Activity) []string {
	return []string{rate(a.Writes), rate(a.Reads), rate(a.Events), bytesize.Short(int64(a.BytesWritten)), bytesize.Short(int64(out(a))), count(a.Watchers), rate(a.Errors)}
}

func (v *view) prefixTable() table {
	t := table{order: v.order.key, columns: append([]column{{head: "PREFIX"}}, activityColumns...)}
	t.columns = append(t.columns, column{head: "STORED UNDER", width: 44})
	all := v.prefixes()
	shared := map[string]int{}
	for i := range all {
		shared[resourceText(&all[i])]++
	}
	for i := range all {
		p := &all[i]
		name := resourceText(p)
		if name == "" || shared[name] > 1 { // several API servers have it
			name = p.Prefix
		}
		if name == "" {
			name = `(without "/", or over all)`
		}
		t.rows = append(t.rows, row{cells: append(append([]string{name}, activityCells(&p.Activity)...), p.Prefix)})
	}
	return t
}

// resourceText is a resource with its namespace; "" if the prefix is of none.
func resourceText(p *usage.Prefix) string {
	switch {
	case p.Resource == "":
		return ""
	case p.Namespace == "":
		return p.Resource
	}
	return p.Namespace + "/" + p.Resource
}

func (v *view) clientTable() table {
	t := table{order: v.order.key, columns: append([]column{{head: "CLIENT"}}, activityColumns...)}
	for _, c := range v.clients() {
		t.rows = append(t.rows, row{cells: append([]string{clientText(&c)}, activityCells(&c.Activity)...)})
	}
	return t
}

// clientText is a client's address, who it is, and what it calls itself.
func clientText(c *usage.Client) string {
	parts := []string{c.Address}
	if c.User != "" {
		parts = append(parts, c.User)
	}
	if c.Certificate != "" && c.Certificate != c.User {
		parts = append(parts, "CN="+c.Certificate)
	}
	if c.UserAgent != "" {
		parts = append(parts, c.UserAgent)
	}
	return strings.Join(parts, " ")
}
