package zkroot

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// A slot's data is an envelope:
//
//	 0  'Z' 'K'                      magic
//	 2  version        uint8         1
//	 3  flags          uint8         bit 0 zstd, bit 1 staged
//	 4  nonce          [16]byte
//	20  term           uint64        the writer's highest known ZAB epoch + 1
//	28  raw length     uint32        of the payload, uncompressed
//	32  payload length uint32        as stored
//	36  parts          uint32        0 unless staged
//	40  checksum       uint32        CRC32C of bytes 0 to 39 and the payload
//	44  payload
//
// Integers are big endian, as ZooKeeper's. The payload is a recordpb.Batch,
// compressed if that makes it smaller. With the staged bit it is not here but
// in <root>/stage/<segment>/<nonce>-<i>, cut into parts; the checksum covers
// it all the same.
const (
	envelopeVersion = 1
	// EnvelopeHead is the length of an envelope without its payload, in bytes.
	EnvelopeHead = 44

	flagZstd   = 1 << 0
	flagStaged = 1 << 1
	knownFlags = flagZstd | flagStaged
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Envelope is a slot's data, taken apart.
type Envelope struct {
	flags   uint8
	nonce   revision.Nonce
	term    uint64
	raw     uint32
	parts   uint32
	sum     uint32
	payload []byte // as stored; nil while its parts were not read
	length  uint32 // of payload
}

// EncodeBatch encodes a batch, whose requests must not change. Bytes is the slot's
// data with the payload inline, StagedBytes with the payload in parts. Error:
// ErrTooLarge.
func EncodeBatch(batch *revision.Batch, term uint64, c *Compressor) (*Envelope, error) {
	record := &recordpb.Batch{Requests: batch.Requests, ReadLease: encodeLease(batch.Lease)}
	encodeOrigin(record, batch.Origin)
	payload, err := proto.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("encode batch: %w", err)
	}
	if len(payload) > maxBatch || countFields(payload) > maxRequests {
		return nil, fmt.Errorf("%w: %d requests of %d bytes", revision.ErrTooLarge, len(batch.Requests), len(payload))
	}
	e := &Envelope{nonce: batch.Nonce, term: term, raw: uint32(len(payload)), payload: payload}
	if packed, smaller := c.compress(payload); smaller {
		e.flags |= flagZstd
		e.payload = packed
	}
	e.length = uint32(len(e.payload))
	return e, nil
}

// head returns the fixed part, with the checksum over it and the payload.
func (e *Envelope) head() []byte {
	b := make([]byte, EnvelopeHead, EnvelopeHead+len(e.payload))
	b[0], b[1], b[2], b[3] = 'Z', 'K', envelopeVersion, e.flags
	copy(b[4:], e.nonce[:])
	binary.BigEndian.PutUint64(b[20:], e.term)
	binary.BigEndian.PutUint32(b[28:], e.raw)
	binary.BigEndian.PutUint32(b[32:], e.length)
	binary.BigEndian.PutUint32(b[36:], e.parts)
	binary.BigEndian.PutUint32(b[40:], checksum(b[:40], e.payload))
	return b
}

// Bytes is the slot's data with the payload inline.
func (e *Envelope) Bytes() []byte { return append(e.head(), e.payload...) }

// StagedBytes is the slot's data with the payload in so many parts.
func (e *Envelope) StagedBytes(parts int) []byte {
	staged := *e
	staged.flags |= flagStaged
	staged.parts = uint32(parts)
	return staged.head()
}

// Stored is the payload as it is stored. It must not be changed.
func (e *Envelope) Stored() []byte { return e.payload }

// NonceOf returns the nonce of a slot's data.
func NonceOf(data []byte) (revision.Nonce, error) {
	e, err := DecodeEnvelope(data)
	if err != nil {
		return revision.Nonce{}, err
	}
	return e.nonce, nil
}

// StagedNonce returns the nonce of a slot's data whose payload lies in parts;
// false if it does not. Errors: ErrCorrupt, ErrNewerFormat.
func StagedNonce(data []byte) (nonce revision.Nonce, staged bool, err error) {
	e, err := DecodeEnvelope(data)
	if err != nil || !e.staged() {
		return revision.Nonce{}, false, err
	}
	return e.nonce, true, nil
}

func checksum(head, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, payload)
}

// DecodeEnvelope takes a slot's data apart, and keeps a part of it. Without the
// staged bit the checksum has been verified; otherwise complete does that.
// Errors: ErrCorrupt, ErrNewerFormat.
func DecodeEnvelope(data []byte) (*Envelope, error) {
	if len(data) < EnvelopeHead || data[0] != 'Z' || data[1] != 'K' {
		return nil, fmt.Errorf("%w: %d bytes that are no slot's", revision.ErrCorrupt, len(data))
	}
	e := &Envelope{
		flags:  data[3],
		term:   binary.BigEndian.Uint64(data[20:]),
		raw:    binary.BigEndian.Uint32(data[28:]),
		length: binary.BigEndian.Uint32(data[32:]),
		parts:  binary.BigEndian.Uint32(data[36:]),
		sum:    binary.BigEndian.Uint32(data[40:]),
	}
	copy(e.nonce[:], data[4:20])
	if e.flags&flagStaged != 0 && data[2] == envelopeVersion && e.flags&^knownFlags == 0 {
		if len(data) != EnvelopeHead || e.parts == 0 || e.parts > e.length || e.length > maxBatch {
			return nil, fmt.Errorf("%w: a staged slot of %d bytes, %d parts of %d bytes", revision.ErrCorrupt, len(data), e.parts, e.length)
		}
		return e, nil
	}
	// The checksum comes before the version: a flipped bit must not look like
	// a newer format.
	payload := data[EnvelopeHead:]
	if e.sum != checksum(data[:40], payload) || int(e.length) != len(payload) {
		return nil, fmt.Errorf("%w: checksum does not match", revision.ErrCorrupt)
	}
	if data[2] != envelopeVersion || e.flags&^knownFlags != 0 {
		return nil, fmt.Errorf("%w: slot of version %d, flags %#x", revision.ErrNewerFormat, data[2], e.flags)
	}
	e.payload = payload
	return e, nil
}

// staged says whether the payload lies in parts.
func (e *Envelope) staged() bool { return e.flags&flagStaged != 0 }

// complete puts a staged payload together and verifies it.
func (e *Envelope) complete(payload []byte) error {
	e.payload = payload
	if int(e.length) != len(payload) {
		return fmt.Errorf("%w: staged parts hold %d bytes of %d", revision.ErrCorrupt, len(payload), e.length)
	}
	if head := e.head(); binary.BigEndian.Uint32(head[40:]) != e.sum {
		return fmt.Errorf("%w: checksum of the staged parts does not match", revision.ErrCorrupt)
	}
	return nil
}

// plain is the payload, uncompressed, and what to give back once it is of no more use;
// nil if that is nothing.
func (e *Envelope) plain() ([]byte, *scratch, error) {
	if e.raw > maxBatch {
		return nil, nil, fmt.Errorf("%w: payload of %d bytes", revision.ErrCorrupt, e.raw)
	}
	payload, buffer := e.payload, (*scratch)(nil)
	if e.flags&flagZstd != 0 {
		buffer = borrow()
		var err error
		if payload, err = buffer.decompress(payload, int(e.raw)); err != nil {
			buffer.giveBack()
			return nil, nil, fmt.Errorf("%w: zstd: %w", revision.ErrCorrupt, err)
		}
	}
	if len(payload) != int(e.raw) {
		buffer.giveBack()
		return nil, nil, fmt.Errorf("%w: payload of %d bytes, %d expected", revision.ErrCorrupt, len(payload), e.raw)
	}
	return payload, buffer, nil
}

// batch decodes the payload.
func (e *Envelope) batch() (*revision.Batch, error) {
	payload, buffer, err := e.plain()
	if err != nil {
		return nil, err
	}
	defer buffer.giveBack() // the messages keep none of it
	if n := countFields(payload); n > maxRequests {
		return nil, fmt.Errorf("%w: payload of %d requests", revision.ErrCorrupt, n)
	}
	var batch recordpb.Batch
	if err := decoding.Unmarshal(payload, &batch); err != nil {
		return nil, fmt.Errorf("%w: %w", revision.ErrCorrupt, err)
	}
	if len(batch.ProtoReflect().GetUnknown()) > 0 {
		return nil, fmt.Errorf("%w: a batch with fields unknown to this one; upgrade it", revision.ErrNewerFormat)
	}
	for i, r := range batch.Requests {
		if recordpb.HasUnknown(r) {
			return nil, fmt.Errorf("%w: request %d has fields unknown to this one; upgrade it", revision.ErrNewerFormat, i)
		}
		if r.Kind == nil {
			return nil, fmt.Errorf("%w: request %d is of a kind unknown to this one; upgrade it", revision.ErrNewerFormat, i)
		}
	}
	lease, err := decodeLease(batch.ReadLease)
	if err != nil {
		return nil, err
	}
	origin, err := decodeOrigin(&batch)
	if err != nil {
		return nil, err
	}
	return &revision.Batch{Nonce: e.nonce, Requests: batch.Requests, Lease: lease, Origin: origin}, nil
}

// countFields counts the fields of a message, up to the first that is none.
func countFields(message []byte) (n int) {
	for len(message) > 0 {
		_, _, size := protowire.ConsumeField(message)
		if size < 0 {
			break
		}
		message = message[size:]
		n++
	}
	return n
}

// encodeOrigin adds where a batch comes from to its record; nothing for nil.
func encodeOrigin(r *recordpb.Batch, o *revision.Origin) {
	if o == nil {
		return
	}
	r.WrittenUnixMs, r.Writer = max(o.Written, 1), writerName(o.Writer)
}

// writerName cuts a name to what the log takes, between two characters.
func writerName(name string) string {
	if len(name) <= revision.MaxWriter {
		return name
	}
	end := revision.MaxWriter
	for end > 0 && !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end]
}

// decodeOrigin reads what encodeOrigin wrote. Error: ErrCorrupt.
func decodeOrigin(r *recordpb.Batch) (*revision.Origin, error) {
	switch {
	case r.WrittenUnixMs == 0 && r.Writer == "":
		return nil, nil
	case r.WrittenUnixMs < 1 || len(r.Writer) > revision.MaxWriter:
		return nil, fmt.Errorf("%w: a batch written at %d ms by a name of %d bytes", revision.ErrCorrupt, r.WrittenUnixMs, len(r.Writer))
	}
	return &revision.Origin{Written: r.WrittenUnixMs, Writer: r.Writer}, nil
}
