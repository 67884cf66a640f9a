package data

import "encoding/binary"

// orientation is how a camera was held: the number that Exif 2.3 (tag 0x0112)
// gives, 1 to 8, and 1 where the file says nothing or nonsense.
func orientation(file []byte) int {
	for rest := file[min(2, len(file)):]; len(rest) >= 4 && rest[0] == 0xff && rest[1] != 0xda; {
		if rest[1] == 0xff { // a fill byte
			rest = rest[1:]
			continue
		}
		n := int(binary.BigEndian.Uint16(rest[2:]))
		if n < 2 || len(rest) < 2+n {
			break
		}
		if body := rest[4 : 2+n]; rest[1] == 0xe1 && len(body) > 6 && string(body[:6]) == "Exif\x00\x00" {
			return tiffOrientation(body[6:])
		}
		rest = rest[2+n:]
	}
	return 1
}

// tiffOrientation looks for the tag in the first directory of a TIFF header.
func tiffOrientation(b []byte) int {
	var order binary.ByteOrder = binary.LittleEndian
	if len(b) < 8 {
		return 1
	}
	if b[0] == 'M' {
		order = binary.BigEndian
	}
	at := uint64(order.Uint32(b[4:]))
	if at+2 > uint64(len(b)) {
		return 1
	}
	entries := b[at+2:]
	for range order.Uint16(b[at:]) {
		if len(entries) < 12 {
			break
		}
		if order.Uint16(entries) == 0x0112 {
			if v := order.Uint16(entries[8:]); v >= 1 && v <= 8 {
				return int(v)
			}
			break
		}
		entries = entries[12:]
	}
	return 1
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
