package house

import (
	"regexp"
	"strings"
	"testing"
)

// plainer are words that do not appear in the product's Go code, nor in the packages that its tests share, and what is
// said instead: its readers know the words of etcd's and ZooKeeper's manuals.
var plainer = map[string]string{
	"nobody":    `"no client", "no member": say who`,
	"whoever":   `"the caller that", "the member that"`,
	"somebody":  `"a client", "another member": say who`,
	"anew":      `"again", "from the start"`,
	"seldom":    `"rarely"`,
	"meanwhile": `"at the same time", "by then", "in the meantime"`,
}

// TestWordsArePlain looks at comments, names and texts alike.
func TestWordsArePlain(t *testing.T) {
	words := regexp.MustCompile(`(?i)` + strings.Join(keys(plainer), "|"))
	for _, s := range allSources(t) {
		if s.isTest() || within(s.path, "conformance") {
			continue
		}
		number := 0
		for line := range strings.Lines(s.text) {
			number++
			for _, word := range words.FindAllString(line, -1) {
				t.Errorf("%s:%d: %q is not a plain word: %s", s.path, number, word, plainer[strings.ToLower(word)])
			}
		}
	}
}
