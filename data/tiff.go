package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"

	"golang.org/x/image/tiff"
)

// TIFF's tags that matter here (TIFF 6.0); Exif uses them too.
const (
	tagSubfile     = 254
	tagCompression = 259
	tagPhotometric = 262
	tagFillOrder   = 266
	tagOrientation = 274
	tagRowsPerPart = 278
	tagPlanar      = 284
	tagTileWidth   = 322
	tagTileLength  = 323
)

// tiffOrder is the order of the bytes in a TIFF, and where its first directory
// is.
func tiffOrder(b []byte) (order binary.ByteOrder, first uint32) {
	order = binary.LittleEndian
	if len(b) < 8 {
		return order, 0
	}
	if b[0] == 'M' {
		order = binary.BigEndian
	}
	return order, order.Uint32(b[4:])
}

// tiffTag looks for a tag in the first directory of a TIFF header. It returns
// the first of count values, where it is a whole number that stands in the
// directory itself, and a count of 0 where there is no such tag.
func tiffTag(b []byte, tag uint16) (value, count uint32) {
	_, first := tiffOrder(b)
	return tiffTagAt(b, first, tag)
}

// tiffTagAt is tiffTag of the directory at an offset.
func tiffTagAt(b []byte, directory uint32, tag uint16) (value, count uint32) {
	order, _ := tiffOrder(b)
	at := uint64(directory)
	if len(b) < 8 || at+2 > uint64(len(b)) {
		return 0, 0
	}
	entries := b[at+2:]
	for range order.Uint16(b[at:]) {
		if len(entries) < 12 {
			break
		}
		if order.Uint16(entries) == tag {
			count := order.Uint32(entries[4:])
			switch order.Uint16(entries[2:]) {
			case 1: // BYTE
				return uint32(entries[8]), count
			case 3: // SHORT
				return uint32(order.Uint16(entries[8:])), count
			case 4: // LONG
				return order.Uint32(entries[8:]), count
			}
			return 0, count
		}
		entries = entries[12:]
	}
	return 0, 0
}

// isCCITT is whether a compression is a fax's.
func isCCITT(compression uint32) bool { return compression == 3 || compression == 4 }

// decodeTIFF decodes a TIFF. The bits of a fax are 0 for white, which means black
// where the file says that black is 0; Go's package takes them for white there
// too, and everybody else does not.
func decodeTIFF(in io.Reader) (image.Image, error) {
	m, err := tiff.Decode(in)
	file, page := in.(*source).file, in.(*source).directory()
	compression, _ := tiffTagAt(file, page, tagCompression)
	photometric, _ := tiffTagAt(file, page, tagPhotometric)
	if fax, ok := m.(*image.Gray); ok && isCCITT(compression) && photometric == 1 {
		for i := range fax.Pix {
			fax.Pix[i] ^= 255
		}
	}
	return m, err
}

// largestBlocks bounds the strips or tiles of a TIFF: each takes its time.
const largestBlocks = 1 << 20

// tiffBlocks says what is wrong with a page of a TIFF, of h by w pixels, that its
// decoder does not look at, and otherwise how much memory its strips or tiles take
// while they are decoded.
func tiffBlocks(file []byte, page uint32, h, w int) (int64, error) {
	value := map[uint16]uint32{}
	for _, tag := range []uint16{tagCompression, tagFillOrder, tagRowsPerPart, tagPlanar, tagTileWidth, tagTileLength} {
		v, count := tiffTagAt(file, page, tag)
		if count > 1 {
			return 0, fmt.Errorf("tiff: there are %d values of the tag %d, and it takes one", count, tag)
		}
		if count == 1 {
			value[tag] = v
		}
	}
	compression := value[tagCompression]
	_, planar := value[tagPlanar]
	switch {
	case planar && value[tagPlanar] != 1:
		return 0, errors.New("tiff: its colours stand in planes of their own, which is not read")
	case value[tagFillOrder] > 1 && !isCCITT(compression):
		return 0, errors.New("tiff: the order of its bits is reversed, which is not read")
	}
	width, height := int64(w), int64(h)
	if value[tagTileWidth] != 0 {
		width, height = int64(value[tagTileWidth]), int64(value[tagTileLength])
	} else if rows := int64(value[tagRowsPerPart]); rows > 0 && rows < height {
		height = rows
	}
	if height == 0 || width > largestPicture || height > largestPicture {
		return 0, fmt.Errorf("tiff: tiles of %dx%d", width, height)
	}
	across, down := (int64(w)+width-1)/width, (int64(h)+height-1)/height
	switch {
	case across*down > largestBlocks:
		return 0, fmt.Errorf("tiff: its %d parts are more than the %d allowed", across*down, largestBlocks)
	case across*width*down*height > 2*largestPicture:
		return 0, fmt.Errorf("tiff: tiles of %dx%d are too large for a picture of %dx%d", width, height, w, h)
	}
	// The decoder takes up to 8 bytes a pixel from a compressed part, whatever
	// the picture has, in memory that is doubled as it grows.
	each := 3 * 8 * width * height
	if compression <= 1 {
		each = min(each, 3*int64(len(file)))
	}
	return each + 24*across*down, nil
}
