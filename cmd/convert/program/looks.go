package program

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// appearances are files that are taken for networks by mistake, by their first bytes.
var appearances = []struct {
	at    int // of the magic
	magic string
	what  string
}{
	{0, "\x89PNG\r\n\x1a\n", "a PNG picture (predict takes pictures)"},
	{0, "\xff\xd8\xff", "a JPEG picture (predict takes pictures)"},
	{0, "GIF8", "a GIF picture (predict takes pictures)"},
	{0, "II*\x00", "a TIFF picture (predict takes pictures)"},
	{0, "MM\x00*", "a TIFF picture (predict takes pictures)"},
	{8, "WEBP", "a WebP picture (predict takes pictures)"},
	{0, "\x1f\x8b", "a file that gzip has compressed: unpack it first"},
	{0, "BZh", "a file that bzip2 has compressed: unpack it first"},
	{0, "\xfd7zXZ\x00", "a file that xz has compressed: unpack it first"},
	{0, "\x28\xb5\x2f\xfd", "a file that zstd has compressed: unpack it first"},
	{0, "7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"},
	{257, "ustar", "a tar archive: unpack it first"},
	{0, "\x7fELF", "a program or library of Linux (ELF)"},
	{0, "MZ", "a program of Windows"},
	{0, "\xcf\xfa\xed\xfe", "a program of macOS"},
	{0, "%PDF", "a PDF document"},
	{0, "version https://git-lfs", "a pointer that Git LFS left in the place of the file: git lfs pull fetches it"},
	{0, "\x93NUMPY", "one array of NumPy (.npy), without a network"},
	{0, "MATLAB 5.0 MAT-file", "a MAT file of another program"},
	{0, "SQLite format 3", "an SQLite database"},
	{0, "\x80\x02", "a Python pickle"},
	{0, "\x80\x03", "a Python pickle"},
	{0, "\x80\x04", "a Python pickle"},
	{0, "7767517\n", "a network of ncnn, which convert does not read: its ONNX file is one to start from"},
}

// texts are the same for texts, whose first bytes may be spaces, in any case.
var texts = []struct{ begin, what string }{
	{"<!doctype html", "a web page, which servers send in the place of a file: look at the address that it came from"},
	{"<html", "a web page, which servers send in the place of a file: look at the address that it came from"},
	{"<?xml", "XML"},
	{"<net", "XML of OpenVINO, which convert does not read: its ONNX file is one to start from"},
	{"{", "JSON (-net takes a network of hubel's)"},
}

// looksLike says what a file of no known format begins like.
func looksLike(head []byte) string {
	if len(head) == 0 {
		return "an empty file"
	}
	for _, a := range appearances {
		if len(head) >= a.at && bytes.HasPrefix(head[a.at:], []byte(a.magic)) {
			return a.what
		}
	}
	if bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		return "a zip archive" + firstEntry(head)
	}
	begin := bytes.ToLower(bytes.TrimLeft(head, " \t\r\n\ufeff"))
	for _, t := range texts {
		if bytes.HasPrefix(begin, []byte(t.begin)) {
			return t.what
		}
	}
	if isText(head) {
		line, _, _ := bytes.Cut(bytes.TrimSpace(head), []byte("\n"))
		return fmt.Sprintf("text, which begins %.40q", bytes.TrimRight(line, "\r"))
	}
	return fmt.Sprintf("none of them: it begins with the bytes % x", head[:min(len(head), 8)])
}

// firstEntry names the first file in a zip archive.
func firstEntry(head []byte) string {
	const fixed = 30
	if len(head) < fixed {
		return ""
	}
	n := int(binary.LittleEndian.Uint16(head[26:]))
	if n == 0 || len(head) < fixed+n {
		return ""
	}
	return fmt.Sprintf(", whose first file is %.60q", head[fixed:fixed+n])
}

// isText reports whether the beginning of a file is UTF-8 without control characters.
func isText(head []byte) bool {
	for i := 0; i < len(head); {
		r, n := utf8.DecodeRune(head[i:])
		switch {
		case r == utf8.RuneError && n == 1 && len(head)-i >= utf8.UTFMax:
			return false
		case r < ' ' && r != '\n' && r != '\t' && r != '\r' && r != '\f':
			return false
		}
		i += n
	}
	return true
}
