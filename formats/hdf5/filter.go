package hdf5

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/formats/inflate"
)

// The filters of chunks that are read.
const (
	filterDeflate    = 1
	filterShuffle    = 2
	filterFletcher32 = 3
)

// otherFilters are names of some that are not read.
var otherFilters = map[uint16]string{
	4: "szip", 5: "nbit", 6: "scale-offset", 305: "LZO", 307: "bzip2", 32000: "LZF", 32001: "Blosc", 32004: "LZ4",
	32008: "bitshuffle", 32013: "ZFP", 32015: "Zstandard", 32026: "Blosc2",
}

// filter is a step of what was done to the bytes of a chunk.
type filter struct {
	id     uint16
	values []uint32
}

func (f filter) name() string {
	if name, ok := otherFilters[f.id]; ok {
		return name
	}
	return fmt.Sprintf("number %d", f.id)
}

// readFilters reads a filter pipeline message.
func readFilters(d *decoder) ([]filter, error) {
	version, count := d.u8(), d.u8()
	if d.err == nil && version != 1 && version != 2 {
		return nil, d.fail("a list of filters is of version %d; versions 1 and 2 are read", version)
	}
	if version == 1 {
		d.take(6)
	}
	var filters []filter
	for range count {
		f := filter{id: d.u16()}
		name := uint64(0)
		if version == 1 || f.id >= 256 {
			name = uint64(d.u16())
		}
		d.take(2) // flags
		values := d.u16()
		if version == 1 {
			name = (name + 7) &^ 7
		}
		d.take(name)
		b := d.sub(4 * uint64(values))
		for range values {
			f.values = append(f.values, b.u32())
		}
		if version == 1 && values%2 != 0 {
			d.take(4)
		}
		if d.err != nil {
			return nil, d.err
		}
		filters = append(filters, f)
	}
	return filters, nil
}

// unfilter takes the filters off the stored bytes of a chunk, in the order of writing, which
// are then size bytes. Filters whose bit is set in mask were not applied.
func unfilter(stored []byte, filters []filter, mask uint32, size uint64) ([]byte, error) {
	sums := uint64(0) // bytes of checksums that may still be there
	for i, f := range filters {
		if f.id == filterFletcher32 && mask>>i&1 == 0 {
			sums += 4
		}
	}
	for i, f := range slices.Backward(filters) {
		if mask>>i&1 != 0 {
			continue
		}
		var err error
		switch f.id {
		case filterDeflate:
			if stored, err = inflate.Whole(stored, size+sums); err != nil {
				err = fmt.Errorf("a chunk: %w", err)
			}
		case filterShuffle:
			if len(f.values) != 1 || f.values[0] == 0 {
				return nil, errors.New("the filter shuffle does not say how long elements are")
			}
			stored = unshuffle(stored, int(f.values[0]))
		case filterFletcher32:
			stored, err = checkFletcher32(stored)
			sums -= 4
		default:
			return nil, fmt.Errorf("the filter %s is not read; deflate (gzip), shuffle and fletcher32 are", f.name())
		}
		if err != nil {
			return nil, err
		}
	}
	if uint64(len(stored)) != size {
		return nil, fmt.Errorf("a chunk has %d bytes in place of %d: the file is damaged", len(stored), size)
	}
	return stored, nil
}

// unshuffle puts the bytes of elements together, of which first all first bytes were stored,
// then all second ones, and so on. Bytes that are no whole element stay at the end.
func unshuffle(b []byte, size int) []byte {
	n := len(b) / size
	if size == 1 || n == 0 {
		return b
	}
	out := make([]byte, len(b))
	for j := range size {
		for i, x := range b[j*n : (j+1)*n] {
			out[i*size+j] = x
		}
	}
	copy(out[n*size:], b[n*size:])
	return out
}

// checkFletcher32 checks and takes off the checksum at the end.
func checkFletcher32(b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, errors.New("a chunk is too short for its checksum")
	}
	n := len(b) - 4
	if binary.LittleEndian.Uint32(b[n:]) != fletcher32(b[:n]) {
		return nil, errors.New("the checksum of a chunk does not match: the file is damaged")
	}
	return b[:n], nil
}
