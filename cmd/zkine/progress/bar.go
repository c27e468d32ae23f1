package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/cheggaaa/pb/v3"
	"golang.org/x/term"

	"github.com/zkine/zkine/revision/bytesize"
)

const (
	// drawPeriod is how often a bar is drawn on a terminal. A transfer that is
	// over sooner shows none.
	drawPeriod = 200 * time.Millisecond
	// linePeriod is how often a line is written elsewhere.
	linePeriod = 10 * time.Second
	// clearLine takes the cursor to the line's start and empties it.
	clearLine = "\r\x1b[K"
)

// What is shown, as pb's templates: with a known total, and without.
const (
	measured   = `{{string . "step"}}: {{string . "counts"}}, {{speed . "%s/s" "0/s"}}{{rtime . ", %s left" "" ""}}`
	unmeasured = `{{string . "step"}}: {{string . "counts"}}, {{speed . "%s/s" "0/s"}}`
	barred     = measured + ` {{bar . "[" "#" "#" " " "]"}}`
)

// Bar is what is shown of one transfer. Its methods may be called by many
// goroutines at once.
type Bar struct {
	out   io.Writer
	width func() int // of the terminal; nil if out is none
	stop  chan struct{}
	ended chan struct{}

	mu          sync.Mutex
	step, note  string
	drawn       bool // a bar stands in the last line
	keys, bytes int64
	allKeys     int64 // 0 if not known, as allBytes
	allBytes    int64
	bar         *pb.ProgressBar
}

// New begins to show a step of a transfer, such as "copying", until Done.
func New(out io.Writer, step string) *Bar { return start(out, terminalWidth(out), step) }

// terminalWidth is how to find a terminal's width; nil if out is none.
func terminalWidth(out io.Writer) func() int {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	return func() int {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil || width <= 0 {
			return 80
		}
		return width
	}
}

func start(out io.Writer, width func() int, step string) *Bar {
	b := &Bar{out: out, width: width, stop: make(chan struct{}), ended: make(chan struct{})}
	b.begin(step)
	period := linePeriod
	if width != nil {
		period = drawPeriod
	}
	go b.run(period)
	return b
}

// Step begins the next step of the transfer: counts and totals start again.
func (b *Bar) Step(step string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begin(step)
}

func (b *Bar) begin(step string) {
	b.step, b.note, b.keys, b.bytes, b.allKeys, b.allBytes = step, "", 0, 0, 0, 0
	b.bar = pb.New64(0).Set(pb.Static, true).Set(pb.Color, false)
	b.bar.Start()
	_ = b.bar.SetTemplateString(unmeasured).String() // from here on it measures the rate
}

// Total says how many keys and bytes there are in this step; 0 if that is not
// known. The rate and the time left are those of bytes if there is a total of
// bytes, or of neither.
func (b *Bar) Total(keys, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.allKeys, b.allBytes = keys, bytes
}

// Note shows a text behind the counts, until the next one or the next step.
func (b *Bar) Note(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note = text
}

// Add says that so many more keys and bytes are done.
func (b *Bar) Add(keys, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keys += keys
	b.bytes += bytes
}

// Printf writes a line above the bar.
func (b *Bar) Printf(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	fmt.Fprintf(b.out, format+"\n", args...)
}

// Done takes the bar away. What became of the transfer is the caller's to tell.
func (b *Bar) Done() {
	b.mu.Lock()
	select {
	case <-b.stop:
	default:
		close(b.stop)
	}
	b.mu.Unlock()
	<-b.ended
}

func (b *Bar) run(period time.Duration) {
	defer close(b.ended)
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			b.draw()
		case <-b.stop:
			b.mu.Lock()
			defer b.mu.Unlock()
			b.clear()
			return
		}
	}
}

func (b *Bar) draw() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.width == nil {
		fmt.Fprintln(b.out, b.text(false))
		return
	}
	b.bar.SetWidth(b.width() - 1) // the last column would begin another line
	fmt.Fprint(b.out, clearLine+b.text(true))
	b.drawn = true
}

func (b *Bar) clear() {
	if b.drawn {
		fmt.Fprint(b.out, clearLine)
		b.drawn = false
	}
}

// text is what is known now.
func (b *Bar) text(withBar bool) string {
	byBytes := b.allBytes > 0 || b.allKeys == 0
	current, total := b.keys, b.allKeys
	if byBytes {
		current, total = b.bytes, b.allBytes
	}
	template := unmeasured
	switch {
	case total > 0 && withBar:
		template = barred
	case total > 0:
		template = measured
	}
	b.bar.Set(pb.Bytes, byBytes).Set("step", b.step).Set("counts", b.counts())
	b.bar.SetTotal(total).SetCurrent(current).SetTemplateString(template)
	return strings.TrimRight(b.bar.String(), " ")
}

func (b *Bar) counts() string {
	keys := fmt.Sprint(b.keys)
	if b.allKeys > 0 {
		keys += fmt.Sprint(" of ", b.allKeys)
	}
	bytes := bytesize.Text(b.bytes)
	if b.allBytes > 0 {
		bytes += " of " + bytesize.Text(b.allBytes)
	}
	if b.note != "" {
		bytes += ", " + b.note
	}
	return keys + " keys, " + bytes
}
