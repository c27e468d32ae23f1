package top

import (
	"fmt"
	"strings"

	"github.com/clipperhouse/displaywidth"

	"github.com/zkine/zkine/revision/bytesize"
)

// look is how a text looks.
type look int

const (
	plain look = iota
	strong
	faint
	heading
	chosen // the heading of the column that is ordered by
	alarming
)

// span is a text of one look, and line what stands on a line of the page.
type span struct {
	text string
	look look
}
type line []span

// String is the line without its looks.
func (l line) String() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.text)
	}
	return strings.TrimRight(b.String(), " ")
}

// fit makes a text exactly width columns wide.
func fit(text string, width int, right bool) string {
	if width <= 0 {
		return ""
	}
	w := displaywidth.String(text)
	if w > width {
		text = displaywidth.TruncateString(text, width, "…")
		w = displaywidth.String(text)
	}
	if right {
		return strings.Repeat(" ", width-w) + text
	}
	return text + strings.Repeat(" ", width-w)
}

// airy is the height from which there are blank lines between the tables.
const airy = 22

// lines are those of a page of a size. Each is at most width wide, and there are at most
// height.
func (v *view) lines(width, height int) []line {
	if width < 1 || height < 1 {
		return nil
	}
	page := []line{v.title(width)}
	switch {
	case v.help:
		page = append(page, help(width)...)
	case v.now == nil:
		page = append(page, line{{fit("asking …", width, false), faint}})
	default:
		page = append(page, v.sums(width))
		page = append(page, v.body(width, height-3)...)
	}
	for len(page) < height-1 {
		page = append(page, nil)
	}
	page = page[:max(1, height-1)]
	if height > 1 {
		page = append(page, v.footer(width))
	}
	return page
}

// body has the tables in a number of lines. Members and servers give way to prefixes and
// clients, of which some are always there.
func (v *view) body(width, height int) []line {
	gap := 0
	if height+3 >= airy {
		gap = 1
	}
	tables := []table{v.memberTable(), v.serverTable()}
	busiest := v.busiestTables()
	if v.now.told() == 0 { // why they do not tell is all there is
		tables, busiest = tables[:1], nil
	}
	const least = 3 // rows
	left := height - len(busiest)*(least+1+gap)
	var page []line
	for i, t := range tables {
		share := left
		if i == 0 && len(tables) > 1 { // what the other one needs is not taken from it
			share = max(left-len(tables[1].rows)-1-gap, min(left, (left+1)/2))
		}
		part := t.lines(width, share-gap, 0)
		if len(part) == 0 {
			continue
		}
		page = append(page, part...)
		left -= len(part)
		if gap > 0 {
			page = append(page, nil)
			left--
		}
	}
	height -= len(page)
	for i, t := range busiest {
		remaining := len(busiest) - i
		room := (height + remaining - 1) / remaining
		if remaining == 2 { // the first one gets what the second does not need
			room = max(room, height-gap-1-len(busiest[1].rows))
		}
		part := t.lines(width, room-min(gap, remaining-1), v.scroll)
		page = append(page, part...)
		height -= len(part)
		if gap > 0 && remaining > 1 {
			page = append(page, nil)
			height--
		}
	}
	return page
}

func (v *view) title(width int) line {
	text := "zkine top"
	if v.now != nil {
		told, all := v.now.told(), len(v.now.Members)
		text += fmt.Sprintf("  %s  %s", v.now.At.Format("15:04:05"), number(all, "member"))
		if told < all {
			text += fmt.Sprintf(", %d silent", all-told)
		}
		if told > 0 {
			text += fmt.Sprintf("  rates over %.0f s, by %s", v.now.Usage.Interval, v.order.name)
		}
	}
	l := line{{fit(text, width, false), strong}}
	if mark := " PAUSED "; v.paused && width > len(mark) {
		l = line{{fit(text, width-len(mark), false), strong}, {mark, chosen}}
	}
	return l
}

func number(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// sums are those of all clients.
func (v *view) sums(width int) line {
	a := &v.now.Usage.All
	text := fmt.Sprintf("calls %s  writes %s  reads %s  events %s  in %s  out %s  watch %s",
		rate(a.Calls), rate(a.Writes), rate(a.Reads), rate(a.Events), bytesize.Short(int64(a.BytesWritten)), bytesize.Short(int64(out(a))), count(a.Watchers))
	errors := "  errors " + rate(a.Errors)
	look := plain
	if a.Errors >= 0.05 {
		look = alarming
	}
	w := max(0, min(displaywidth.String(text), width-len(errors)))
	return line{{fit(text, w, false), plain}, {fit(errors, width-w, false), look}}
}

func (v *view) footer(width int) line {
	text := "q quit  p pause  ? help  tab tables  ↑↓ scroll  order:"
	for _, o := range orders {
		text += " " + string(o.key)
	}
	return line{{fit(text, width, false), faint}}
}

// help is what the keys do, and what the columns mean.
func help(width int) (page []line) {
	text := []string{
		"",
		"q, ctrl-C  quit                    p, space  pause: the page stays as it is",
		"tab        prefixes, clients, both ↑ ↓ PgUp PgDn Home  scroll them",
		"?, h       this page, and back",
		"",
		"Order of prefixes and clients, by what is busiest now:",
		"b  all together    w  writes          r  reads     e  events to watchers",
		"n  watchers        i  bytes written   o  bytes read and watched     x  errors",
		"",
		"WRITES  puts and deletes a second, those in transactions too; READS ranges",
		"EVENTS  sent to watchers: one for each watcher; WATCH watchers open now",
		"IN, OUT bytes of keys and values a second, to and from the members",
		"LAG     revisions behind the first member; + if its log has more to apply",
		"STORE   bytes that the root takes in ZooKeeper; * marks the keeper",
		"ANSWERS how long the server took for srvr, from the member that asked",
		"AVG MAX of the server's requests since it was started; QUEUE those that wait",
		"",
		"Rates are sums over all members; what is not listed is in the sums on top.",
	}
	for _, t := range text {
		page = append(page, line{{fit(t, width, false), plain}})
	}
	return page
}
