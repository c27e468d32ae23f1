package monitoring

import (
	"regexp"
	"slices"
)

var (
	quoted  = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'[^']*'`)
	asked   = regexp.MustCompile(`\b(?:etcd|zkine|grpc|promhttp|process|os|go)_[a-z0-9_]+\b`)
	labeled = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)|\{[^}]*\}`)
)

// Asked are the families that a PromQL expression asks for, sorted.
func Asked(expression string) []string {
	var names []string
	text := labeled.ReplaceAllString(quoted.ReplaceAllString(expression, `""`), "")
	for _, name := range asked.FindAllString(text, -1) {
		names = append(names, familyOf(name))
	}
	slices.Sort(names)
	return slices.Compact(names)
}
