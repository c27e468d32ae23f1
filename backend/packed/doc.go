// Package packed keeps values in little memory. Those of a store of Kubernetes'
// objects are mostly the same text, so a value that no client reads is packed, by
// itself, against a dictionary of its like: reading one unpacks one, and costs
// about as much as to copy it.
//
// value.go: a value, and its readers. pool.go: how much stays as it is, and what is
// packed. packer.go: how dictionaries are learnt. dictionary.go: a dictionary,
// and what is packed with it, which has S2's form.
//
// It is pure: no clock, no lock, no randomness. It imports S2; nothing of zkine.
package packed
