package zkacl_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zkacl"
)

func TestAgainst(t *testing.T) {
	for _, c := range []struct {
		have, wanted string
		want         zkacl.Difference
	}{
		{"open", "open", zkacl.Same},
		{"sasl:a:cdrwa;sasl:b:r", "sasl:b:r;sasl:a:cdrwa", zkacl.Same},
		{"world:anyone:cdrwa;sasl:a:r", "open", zkacl.Same},
		{"world:anyone:r;sasl:a:rw", "world:anyone:r;sasl:a:w", zkacl.Same},
		{"open", "sasl:a:cdrwa", zkacl.Weaker},
		{"world:anyone:r;sasl:a:cdrwa", "sasl:a:cdrwa", zkacl.Weaker},
		{"sasl:a:cdrwa;sasl:b:r", "sasl:a:cdrwa", zkacl.Weaker},
		{"sasl:a:cdrwa", "open", zkacl.Stronger},
		{"sasl:a:cdrw", "sasl:a:cdrwa", zkacl.Stronger},
		{"sasl:a:cdrwa", "sasl:b:cdrwa", zkacl.Other},
		{"world:anyone:r", "sasl:a:cdrwa", zkacl.Other},
		{"world:anyone:cdrw", "sasl:a:cdrwa", zkacl.Other},
	} {
		require.Equal(t, c.want, parse(t, c.have).Against(parse(t, c.wanted)), "%s beside %s", c.have, c.wanted)
	}
	for d, want := range map[zkacl.Difference]string{zkacl.Same: "the same", zkacl.Weaker: "weaker", zkacl.Stronger: "stronger", zkacl.Other: "other"} {
		require.Equal(t, want, d.String())
	}
}
