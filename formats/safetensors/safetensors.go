// Package safetensors reads and writes the safetensors format
// (https://github.com/huggingface/safetensors), which other frameworks read
// too: named tensors and a map of strings in one file.
//
// A file is the length of the header (8 bytes, little-endian), the header in
// JSON, padded with spaces so that the data starts at a multiple of 8, and the
// tensors' elements, little-endian, row-major, without holes.
//
// # Order
//
// Tensors are written in the order of the reference implementation: by falling
// alignment of their element type, then by name; metadata by key. The order in
// which a caller lists them does not matter, and one content has one sequence
// of bytes.
//
// # Checksum
//
// Every file written carries the metadata entry "sha256": the SHA-256, in
// hexadecimal, of the whole file as it would be with 64 zeros ("0") in that
// entry's place. It covers the header as well as the data, so that Verify
// finds any damage. Files of other programs do not have it.
package safetensors

import (
	"errors"
	"strings"
)

const (
	metadataKey = "__metadata__"
	checksumKey = "sha256"

	// maxHeader is the reference implementation's bound of the header's
	// length.
	maxHeader = 100_000_000
)

// noChecksum stands in the checksum's place while it is computed.
var noChecksum = strings.Repeat("0", 64)

var (
	// ErrNoChecksum is Verify's error for a file without a checksum.
	ErrNoChecksum = errors.New("the file has no checksum")

	// ErrChecksum is Verify's error for a file that is not as it was written.
	ErrChecksum = errors.New("the file is damaged: its checksum does not match")
)
