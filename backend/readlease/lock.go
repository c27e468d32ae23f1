package readlease

// Lock is a mutex that goroutines may hold while they read a clock. Simulations
// freeze a zkine there, and let time pass once all goroutines wait: for a channel,
// which a testing/synctest bubble can tell from work, as it cannot for a sync.Mutex.
type Lock chan struct{}

// NewLock is one that is not held.
func NewLock() Lock { return make(Lock, 1) }

// Lock waits until no other goroutine holds it.
func (l Lock) Lock() { l <- struct{}{} }

// TryLock is Lock where that takes no waiting; false if it does.
func (l Lock) TryLock() bool {
	select {
	case l <- struct{}{}:
		return true
	default:
		return false
	}
}

// Unlock lets the next one in.
func (l Lock) Unlock() { <-l }
