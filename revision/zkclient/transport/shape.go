package transport

import "encoding/binary"

// form is what the body of a reply is made of.
type form int

const (
	formAny       form = iota // not looked into
	formNone                  // nothing
	formString                // a path
	formBuffer                // a SASL token
	formStat                  // a znode's stat
	formData                  // a buffer and a stat
	formNames                 // a vector of names
	formNamesStat             // the same and a stat
	formACL                   // a vector of permissions, scheme and id; a stat
	formMulti                 // results, each behind a header
	formReads                 // the same, of a multi of reads: each a buffer and a stat
	formEvent                 // type, state and path of a watch event
)

const (
	statSize        = 68
	multiHeaderSize = 9  // type, done, error
	permsSize       = 4  // before the scheme of an ACL's entry
	eventHeadSize   = 8  // type and state
	leastName       = 4  // an empty string
	leastACL        = 12 // permissions and two empty strings
	// lastEvent is the largest type of a watch event (Watcher.Event.EventType).
	lastEvent = 7
)

// step is what a shape waits for.
type step int

const (
	stepDone   step = iota // nothing more; what follows is not looked into
	stepString             // the length of a string
	stepBuffer             // the length of a buffer, which may be null
	stepCount              // the number of entries of a vector
	stepPerms              // the permissions of an ACL's entry
	stepResult             // the header of a multi's result
	stepError              // the code of a result that is an error
	stepEvent              // type and state of a watch event
)

// shape checks the lengths in a body as its bytes pass: none may go beyond the
// body's end. What is to be decided on is kept in held, across the borders of
// what is fed.
type shape struct {
	form form
	step step
	rest int // bytes of the body that were not fed yet
	skip int // bytes that only pass
	then int // bytes to pass at the end: a stat

	entries int // of the vector, that are to come
	strings int // of the entry, that are to come
	results int // that may come

	held   [multiHeaderSize]byte
	filled int
}

// begin expects a body of size bytes; results bounds those of a multi.
func (s *shape) begin(f form, size, results int) {
	*s = shape{form: f, rest: size, results: results}
	switch f {
	case formAny, formNone:
	case formString:
		s.step = stepString
	case formBuffer:
		s.step = stepBuffer
	case formStat:
		s.skip = statSize
	case formData:
		s.step, s.then = stepBuffer, statSize
	case formNames:
		s.step = stepCount
	case formNamesStat, formACL:
		s.step, s.then = stepCount, statSize
	case formMulti, formReads:
		s.step = stepResult
	case formEvent:
		s.step = stepEvent
	}
}

// want is how many bytes a step decides on.
func (s step) want() int {
	switch s {
	case stepResult:
		return multiHeaderSize
	case stepEvent:
		return eventHeadSize
	case stepDone:
		return 0
	default:
		return lengthSize
	}
}

// feed takes the body's next bytes. At its last byte everything must have come.
func (s *shape) feed(p []byte) error {
	for {
		if n := min(s.skip, len(p)); n > 0 {
			s.skip -= n
			s.rest -= n
			p = p[n:]
		}
		if s.skip > 0 || s.step == stepDone {
			break
		}
		want := s.step.want()
		if s.filled == 0 && len(p) >= want {
			s.rest -= want
			if err := s.decide(p[:want]); err != nil {
				return err
			}
			p = p[want:]
			continue
		}
		n := copy(s.held[s.filled:want], p)
		s.filled += n
		s.rest -= n
		p = p[n:]
		if s.filled < want {
			break
		}
		s.filled = 0
		if err := s.decide(s.held[:want]); err != nil {
			return err
		}
	}
	if s.skip == 0 && s.step == stepDone {
		s.rest -= len(p)
		return nil
	}
	if s.skip > s.rest || s.rest == 0 {
		return badFrame("it ends in the middle")
	}
	return nil
}

// decide takes the bytes that the step was waiting for.
func (s *shape) decide(held []byte) error {
	number := int(int32(binary.BigEndian.Uint32(held)))
	switch s.step {
	case stepString:
		if err := s.pass(number, "string"); err != nil {
			return err
		}
		s.afterString()
	case stepBuffer:
		if number != -1 { // null
			if err := s.pass(number, "buffer"); err != nil {
				return err
			}
		}
		s.finish()
		if s.form == formReads {
			s.step = stepResult
		}
	case stepCount:
		least := leastName
		if s.form == formACL {
			least = leastACL
		}
		if number < 0 || number > (s.rest-s.then)/least {
			return badFrame("a vector of %d entries in %d bytes", number, s.rest)
		}
		s.entries = number
		s.nextEntry()
	case stepPerms:
		s.step, s.strings = stepString, 2
	case stepResult:
		return s.result(int32(number), held[4] != 0)
	case stepError:
		s.step = stepResult
	case stepEvent:
		if number < 1 || number > lastEvent {
			return badFrame("a watch event of the unknown type %d", number)
		}
		s.step, s.strings = stepString, 1
	}
	return nil
}

// pass lets n bytes pass, if there are as many before what must follow.
func (s *shape) pass(n int, what string) error {
	if n < 0 || n > s.rest-s.then {
		return badFrame("a %s of %d bytes in %d", what, n, s.rest)
	}
	s.skip = n
	return nil
}

// afterString goes on behind a string.
func (s *shape) afterString() {
	if s.strings > 0 {
		s.strings--
	}
	switch {
	case s.strings > 0:
	case s.form == formNames, s.form == formNamesStat, s.form == formACL:
		s.entries--
		s.nextEntry()
	case s.form == formMulti:
		s.step = stepResult
	default:
		s.finish()
	}
}

func (s *shape) nextEntry() {
	switch {
	case s.entries == 0:
		s.finish()
	case s.form == formACL:
		s.step = stepPerms
	default:
		s.step, s.strings = stepString, 1
	}
}

// finish expects nothing more but what stands at the end.
func (s *shape) finish() {
	s.step = stepDone
	s.skip += s.then
	s.then = 0
}

// result takes the header of a multi's result.
func (s *shape) result(opcode int32, done bool) error {
	if done {
		s.finish()
		return nil
	}
	if s.results--; s.results < 0 {
		return badFrame("more results than the multi had operations")
	}
	reads := s.form == formReads
	switch {
	case opcode == opError:
		s.step = stepError
	case opcode == opGetData && reads:
		s.step, s.then = stepBuffer, statSize
	case opcode == opCreate && !reads:
		s.step = stepString
	case opcode == opSetData && !reads:
		s.skip = statSize
	case (opcode == opDelete || opcode == opCheck) && !reads:
	default:
		return badFrame("a result of the unknown operation %d", opcode)
	}
	if s.skip > s.rest {
		return badFrame("it ends in the middle")
	}
	return nil
}
