package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// A mistyped setting that is only warned of can start something else than what
// was meant, such as a local ZooKeeper beside an ensemble that was named.

// closest is the known name that a mistyped one was probably meant to be; "" if
// none is close. Case and the kind of separators do not count.
func closest(name string, known []string) string {
	plain := strings.NewReplacer("_", "", "-", "", ".", "")
	norm := func(s string) string { return strings.ToUpper(plain.Replace(s)) }
	name = norm(name)
	best, least := "", len(name)
	for _, k := range known {
		// The shorter the name, the sooner another is close by chance.
		n := norm(k)
		if d := distance(name, n); d < least && d <= min(3, (len(n)+3)/4) && d <= len(name)/3 {
			best, least = k, d
		}
	}
	return best
}

// distance is how many letters have to be added, removed, replaced or swapped
// with their neighbour to make one word of the other.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

func flagNames(flags *pflag.FlagSet) (names []string) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" {
			names = append(names, f.Name)
		}
	})
	return names
}

// mistyped refuses the first variable that a flag's was probably meant by.
func mistyped(flags *pflag.FlagSet, unknown []string) error {
	for _, name := range unknown {
		if flag := closest(name[len(envPrefix):], flagNames(flags)); flag != "" {
			return &problem{thing: name, what: "no such setting", usage: true,
				remedy: fmt.Sprintf("did you mean %s? Else unset it, or give it another prefix", envName(flag))}
		}
	}
	return nil
}
