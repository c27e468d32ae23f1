package main

import (
	"slices"
	"strings"
	"testing"
)

// key is a suite of three functions, on zkine.
var key = suite{name: "key", functions: 3, served: true}

// good is what go test -json says when all is well: TestA has a zkine, TestC/sub is skipped.
const good = `
{"Action":"start","Package":"k8s.io/apiserver/pkg/key"}
{"Action":"run","Package":"k8s.io/apiserver/pkg/key","Test":"TestA"}
{"Action":"output","Package":"k8s.io/apiserver/pkg/key","Test":"TestA","Output":"zkine serves this test, on root /a\n"}
{"Action":"pass","Package":"k8s.io/apiserver/pkg/key","Test":"TestA","Elapsed":0.1}
{"Action":"run","Package":"k8s.io/apiserver/pkg/key","Test":"TestB"}
{"Action":"pass","Package":"k8s.io/apiserver/pkg/key","Test":"TestB","Elapsed":0.1}
{"Action":"run","Package":"k8s.io/apiserver/pkg/key","Test":"TestC"}
{"Action":"run","Package":"k8s.io/apiserver/pkg/key","Test":"TestC/sub"}
{"Action":"skip","Package":"k8s.io/apiserver/pkg/key","Test":"TestC/sub","Elapsed":0}
{"Action":"pass","Package":"k8s.io/apiserver/pkg/key","Test":"TestC","Elapsed":0.1}
{"Action":"pass","Package":"k8s.io/apiserver/pkg/key","Elapsed":1.5}
`

func TestVerdict(t *testing.T) {
	sub := name{key.path(), "TestC/sub"}
	for _, c := range []struct {
		what     string
		events   string
		excused  []name
		options  options
		expected []string // what each complaint contains
	}{
		{what: "all is well", events: good, excused: []name{sub}},
		{what: "a skip that nobody excused", events: good, expected: []string{"TestC/sub was skipped"}},
		{
			what: "no skip", events: strings.ReplaceAll(good, `"skip"`, `"pass"`), excused: []name{sub},
			expected: []string{"TestC/sub was not skipped"},
		},
		{
			what: "a failure", events: strings.Replace(good, `"pass","Package":"k8s.io/apiserver/pkg/key","Test":"TestB"`,
				`"fail","Package":"k8s.io/apiserver/pkg/key","Test":"TestB"`, 1), excused: []name{sub},
			expected: []string{"TestB failed 1 times of 1"},
		},
		{
			what: "the process ended", events: before(good, `{"Action":"skip"`), excused: []name{sub},
			expected: []string{"TestC did not finish", "TestC/sub did not finish", "key did not pass"},
		},
		{
			what: "nothing ran", excused: []name{sub},
			expected: []string{"key did not pass", "0 test functions instead of 3", "started no zkine", "TestC/sub does not exist"},
		},
		{
			what: "no zkine", events: strings.ReplaceAll(good, marker, "something else"), excused: []name{sub},
			expected: []string{"started no zkine"},
		},
		{
			what: "etcd is not counted", events: strings.ReplaceAll(good, marker, "something else"), excused: []name{sub},
			options: options{store: storeEtcd},
		},
		{
			what: "a pattern leaves tests out", events: strings.ReplaceAll(good, "TestB", "TestA"), excused: []name{sub},
			options: options{store: storeZkine, run: "TestA|TestC"},
		},
	} {
		t.Run(c.what, func(t *testing.T) {
			if c.options.store == "" {
				c.options.store = storeZkine
			}
			excused := map[name]bool{}
			for _, n := range c.excused {
				excused[n] = true
			}
			tally := newTally()
			if err := follow(strings.NewReader(strings.TrimSpace(c.events)+"\n"), tally, false); err != nil {
				t.Fatal(err)
			}
			v := judge(tally, []suite{key}, c.options, excused)
			if len(v.wrong) != len(c.expected) {
				t.Fatalf("got %q, expected %q", v.wrong, c.expected)
			}
			for _, part := range c.expected {
				if !slices.ContainsFunc(v.wrong, func(s string) bool { return strings.Contains(s, part) }) {
					t.Errorf("%q is not among %q", part, v.wrong)
				}
			}
		})
	}
}

// before is what stands before a part of a text, which has to be there.
func before(text, part string) string {
	head, _, found := strings.Cut(text, part)
	if !found {
		panic("the text has no " + part)
	}
	return head
}
