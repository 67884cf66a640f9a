package tensorboard

import (
	"encoding/binary"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record frames an event as a TFRecord: its length in 8 bytes, the checksum of
// these, the event, and its checksum, all little-endian.
func record(event []byte) []byte {
	b := make([]byte, 0, 16+len(event))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(event)))
	b = binary.LittleEndian.AppendUint32(b, masked(b))
	b = append(b, event...)
	return binary.LittleEndian.AppendUint32(b, masked(event))
}

// masked is the CRC-32C of b, masked as TFRecord does: a checksum of data that
// holds checksums is a weak one.
func masked(b []byte) uint32 {
	crc := crc32.Checksum(b, castagnoli)
	return (crc>>15 | crc<<17) + 0xa282ead8
}
