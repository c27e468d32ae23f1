// Package house holds tests that read zkine's source and documents, and name the rule that a change has broken: which
// package may import which, how large a file, a package and a type may be, which words are used, whether the lists in
// docs are complete. A file is a rule.
//
// Run it with -count=1: Go does not see that what it reads has changed. Each error says what to do. Rules have their
// exceptions beside them, with the reason.
package house
