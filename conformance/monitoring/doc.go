// Package monitoring looks at zkine as a Prometheus does: what its metrics are, beside etcd's, and what alerts make of them.
//
//	scrape.go      a scrape, and the families in it
//	recorder.go    scrapes one after the other, each of which stands for a minute
//	promtool.go    rules judged by the real promtool over what was recorded
//	rules.go       zkine's own rules, and etcd's mixin out of etcd's module
//	expressions.go the families that an expression asks for
//
// families_test.go, sources_test.go and docs_test.go are part of make test; what needs promtool and Prometheus, rest_test.go,
// the fault*_test.go, mixin_test.go and prometheus_test.go, is make monitoring.
//
// Each scrape stands for a minute, so that a rule with `for: 10m` can be judged, as it is, in seconds: the samples are what
// the real processes have shown, and promtool is given them a minute apart. Rates per second are 1/60 of a scrape's
// difference, so that a fault has to be a heavy one. Moments (families that end in _timestamp_seconds) are shifted, since
// promtool's clock begins at 0.
package monitoring
