// Package inflate inflates zlib data (RFC 1950) whose size is known before. No more memory is
// taken than the data can fill.
package inflate

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
)

// Most is how many bytes deflate makes of one at most: RFC 1951 has no longer match than 258
// bytes, of 2 bits.
const Most = 1032

// ErrTooLarge is the error of data that is said to be larger than its bytes can inflate to.
var ErrTooLarge = errors.New("it says that it is larger than what its bytes can inflate to: the file is damaged, or made to exhaust memory")

// Whole is the n bytes that b was deflated from, whose checksum is right. Fewer or more are an
// error.
func Whole(b []byte, n uint64) ([]byte, error) {
	if n/Most > uint64(len(b)) {
		return nil, ErrTooLarge
	}
	r, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("it cannot be inflated: %w", err)
	}
	out := make([]byte, n)
	got, err := io.ReadFull(r, out)
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		return nil, fmt.Errorf("it inflates to %d bytes in place of %d: the file is damaged", got, n)
	}
	if err == nil {
		// The checksum of the data is behind it.
		if got, err = r.Read(make([]byte, 1)); got > 0 || err == nil {
			return nil, fmt.Errorf("it inflates to more than %d bytes: the file is damaged", n)
		} else if err == io.EOF {
			return out, nil
		}
	}
	return nil, fmt.Errorf("it cannot be inflated: %w", err)
}

// Begin fills head with the first bytes that b was deflated from: they may say how many there are.
func Begin(head, b []byte) error {
	r, err := zlib.NewReader(bytes.NewReader(b))
	if err == nil {
		_, err = io.ReadFull(r, head)
	}
	if err != nil {
		return fmt.Errorf("it cannot be inflated: %w", err)
	}
	return nil
}
