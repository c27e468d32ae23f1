package monitoring

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Family is what a scrape says of a family besides its samples.
type Family struct {
	Type, Help string
	// Labels are the names of labels in its series, but le.
	Labels map[string]bool
}

// Scrape is what /metrics says at a moment.
type Scrape struct {
	Families map[string]*Family
	// Samples are values by series, as name{label="value"}.
	Samples map[string]float64
}

// mostBytes bounds what is read of a scrape.
const mostBytes = 16 << 20

// Get scrapes an address, host:port.
func Get(ctx context.Context, address string) (*Scrape, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, mostBytes))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", address, resp.Status)
	}
	return parse(string(text))
}

var (
	sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$`)
	labelName  = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="(?:[^"\\]|\\.)*"`)
)

// parse reads Prometheus' text format.
func parse(text string) (*Scrape, error) {
	s := &Scrape{Families: map[string]*Family{}, Samples: map[string]float64{}}
	family := func(name string) *Family {
		if s.Families[name] == nil {
			s.Families[name] = &Family{Labels: map[string]bool{}}
		}
		return s.Families[name]
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if rest, is := strings.CutPrefix(line, "# HELP "); is {
			name, help, _ := strings.Cut(rest, " ")
			family(name).Help = help
			continue
		}
		if rest, is := strings.CutPrefix(line, "# TYPE "); is {
			name, kind, _ := strings.Cut(rest, " ")
			family(name).Type = kind
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("not a sample: %q", line)
		}
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		s.Samples[m[1]+"{"+m[2]+"}"] = value
		of := s.Families[m[1]]
		if of == nil {
			of = family(familyOf(m[1]))
		}
		for _, label := range labelName.FindAllStringSubmatch(m[2], -1) {
			if label[1] != "le" && label[1] != "quantile" {
				of.Labels[label[1]] = true
			}
		}
	}
	return s, nil
}

// familyOf is the family of a histogram's or summary's series.
func familyOf(name string) string {
	for _, end := range []string{"_bucket", "_sum", "_count"} {
		if family, is := strings.CutSuffix(name, end); is {
			return family
		}
	}
	return name
}
