package data

import (
	"bytes"
	"encoding/binary"
)

// orientation is how a camera was held: the number that Exif 2.3 (tag 0x0112)
// gives, 1 to 8, and 1 where the file says nothing or nonsense.
func orientation(file []byte, f format) int {
	var exif []byte
	switch f {
	case jpegFormat:
		exif = jpegExif(file)
	case pngFormat:
		exif = chunk(file, len(pngMagic), 4, binary.BigEndian, "eXIf")
	case webpFormat:
		exif = chunk(file, len("RIFF____WEBP"), 0, binary.LittleEndian, "EXIF")
	case tiffFormat:
		exif = file
	}
	exif = bytes.TrimPrefix(exif, []byte(exifMark)) // which only JPEG should have
	if v, count := tiffTag(exif, tagOrientation); count == 1 && v >= 1 && v <= 8 {
		return int(v)
	}
	return 1
}

const exifMark = "Exif\x00\x00"

// jpegExif is the first Exif of a JPEG, which stands before its picture.
func jpegExif(file []byte) []byte {
	rest := file[min(2, len(file)):]
	for len(rest) >= 4 {
		marker := rest[1]
		switch {
		case rest[0] != 0xff || marker == 0xff || marker == 0: // filling, or what a decoder skips
			rest = rest[1:]
			continue
		case marker == 0x01 || marker >= 0xd0 && marker <= 0xd7: // these are followed by nothing
			rest = rest[2:]
			continue
		case marker >= 0xd8 && marker <= 0xda: // the picture
			return nil
		}
		n := int(binary.BigEndian.Uint16(rest[2:]))
		if n < 2 || len(rest) < 2+n {
			return nil
		}
		if body := rest[4 : 2+n]; marker == 0xe1 && bytes.HasPrefix(body, []byte(exifMark)) {
			return body
		}
		rest = rest[2+n:]
	}
	return nil
}

// chunk is the body of the first chunk of a name. The chunks of PNG have their
// length before the name and 4 bytes behind, those of RIFF have it after the
// name and fill up to an even one.
func chunk(file []byte, at, checksum int, order binary.ByteOrder, name string) []byte {
	for at+8 <= len(file) {
		head := file[at : at+8]
		called, length := head[4:], uint64(order.Uint32(head))
		if checksum == 0 {
			called, length = head[:4], uint64(order.Uint32(head[4:]))
		}
		rest := file[at+8:]
		if length > uint64(len(rest)) {
			return nil
		}
		if string(called) == name {
			return rest[:length]
		}
		at += 8 + int(length) + checksum
		if checksum == 0 {
			at += int(length & 1)
		}
	}
	return nil
}

// turnedBack is the map from a picture as it was seen, of h by w pixels, to
// the picture as it is stored.
func turnedBack(orientation, h, w int) affine {
	right, bottom := float64(w), float64(h)
	switch orientation {
	case 2: // mirrored
		return affine{a: -1, c: right, e: 1}
	case 3: // upside down
		return affine{a: -1, c: right, e: -1, f: bottom}
	case 4:
		return affine{a: 1, e: -1, f: bottom}
	case 5: // rows are columns
		return affine{b: 1, d: 1}
	case 6: // the camera was turned to the left
		return affine{b: 1, d: -1, f: right}
	case 7:
		return affine{b: -1, c: bottom, d: -1, f: right}
	case 8:
		return affine{b: -1, c: bottom, d: 1}
	}
	return affine{a: 1, e: 1}
}
