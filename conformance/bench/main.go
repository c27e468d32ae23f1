package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/zkine/zkine/conformance/bench/contender"
	"github.com/zkine/zkine/conformance/bench/load"
	"github.com/zkine/zkine/conformance/bench/replay"
)

// options are what the flags say.
type options struct {
	run        *regexp.Regexp
	contenders []string
	clients    []int // empty: as in points
	rounds     int   // 0: as roundsOf says
	seconds    time.Duration
	warmup     time.Duration
	warmed     time.Duration // of the load before everything
	quick      bool
	value      int // bytes
	dir        string
	zkine      string  // program; "" is built
	before     string  // program; "" if there is none to compare with
	others     float64 // cores

	out      string
	render   []string // files; nil means to measure
	markdown string
	plots    string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := dispatch(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context) error {
	if len(os.Args) == 2 && os.Args[1] == loadCommand {
		return load.Main(ctx, os.Stdin, os.Stdout)
	}
	if len(os.Args) == 2 && os.Args[1] == replayCommand {
		return replay.Main(ctx, os.Stdin, os.Stdout)
	}
	if len(os.Args) == 2 && os.Args[1] == burnCommand {
		burn(ctx)
		return nil
	}
	o, err := parse()
	if err != nil {
		return err
	}
	var records []record
	if o.render == nil {
		records, err = measure(ctx, o)
	} else {
		records, err = readAll(o.render)
	}
	if err != nil {
		return err
	}
	return report(o, records)
}

func parse() (o options, err error) {
	run := flag.String("run", "", "measure only what matches this `expression`, as update/100 or watch; names are in points.go")
	who := flag.String("contenders", "", "who takes part: some of "+strings.Join(contender.Names(), ",")+" (default: all)")
	clients := flag.String("clients", "", "measure only with these `numbers` of clients (default: all)")
	seconds := flag.Float64("seconds", 3, "how `long` a contender's turn is")
	flag.BoolVar(&o.quick, "quick", false, "one round of one second: to see that it works")
	render := flag.Bool("render", false, "measure nothing; show the results in the files given as arguments, all together")
	flag.IntVar(&o.rounds, "rounds", 0, "how many turns each contender has; the table shows medians (default: 3 with updates, else 2)")
	flag.DurationVar(&o.warmup, "warmup", time.Second, "load before each turn that is not counted")
	flag.DurationVar(&o.warmed, "warm", 40*time.Second, "load of 50 clients on each contender before everything that is not counted; 0 for none")
	flag.IntVar(&o.value, "value", 1024, "`bytes` of a value")
	flag.StringVar(&o.dir, "dir", "", "where the data is kept, on a `disk` that is to be measured (default: .cache/bench of the checkout)")
	flag.StringVar(&o.zkine, "zkine", "", "measure this `program` in place of the checkout's")
	flag.StringVar(&o.before, "before", "", "measure this `program`, another zkine, too, as before1, before3 and before-own, and show ratios to it")
	flag.Float64Var(&o.others, "others", 0.25, "take a turn again, at most twice, in which everything else on the machine burned more `cores`")
	flag.StringVar(&o.out, "out", "", "append the results to this `file`, one JSON object a line")
	flag.StringVar(&o.markdown, "markdown", "", "write the table to this `file` too")
	flag.StringVar(&o.plots, "plots", "", "write plots into this `folder`")
	flag.Parse()
	o.seconds = time.Duration(*seconds * float64(time.Second))
	if o.quick {
		o.rounds, o.seconds, o.warmup, o.warmed = 1, time.Second, time.Second/2, quickTurn
	}
	if o.run, err = regexp.Compile(*run); err != nil {
		return o, err
	}
	if o.before != "" {
		if o.before, err = exec.LookPath(o.before); err != nil {
			return o, fmt.Errorf("-before: %w", err)
		}
	}
	if *who == "" {
		everyone := slices.DeleteFunc(contender.Names(), func(name string) bool {
			return o.before == "" && strings.HasPrefix(name, "before")
		})
		*who = strings.Join(everyone, ",")
	}
	for name := range strings.SplitSeq(*who, ",") {
		if !slices.Contains(contender.Names(), name) {
			return o, fmt.Errorf("no contender %q: there are %s", name, strings.Join(contender.Names(), ", "))
		}
		o.contenders = append(o.contenders, name)
		if before := beforeOf(name); o.before != "" && before != name && !slices.Contains(strings.Split(*who, ","), before) {
			o.contenders = append(o.contenders, before) // it is wanted beside the other one
		}
	}
	for _, n := range strings.FieldsFunc(*clients, func(r rune) bool { return r == ',' }) {
		number, err := strconv.Atoi(n)
		if err != nil {
			return o, fmt.Errorf("-clients: %w", err)
		}
		o.clients = append(o.clients, number)
	}
	if *render {
		o.render = flag.Args()
		if len(o.render) == 0 {
			return o, fmt.Errorf("-render needs files that -out wrote")
		}
	} else if flag.NArg() > 0 {
		return o, fmt.Errorf("what is %q?", flag.Arg(0))
	}
	return o, nil
}
