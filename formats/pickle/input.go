package pickle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

var errTruncated = errors.New("the file ends inside of a pickle: it is truncated")

// byte is the next one.
func (m *machine) byte() (byte, error) {
	c, err := m.r.ReadByte()
	if err == io.EOF {
		return 0, errTruncated
	}
	if err == nil {
		m.at++
	}
	return c, err
}

// bytes are the next n, n at most limit.
func (m *machine) bytes(n, limit uint64) ([]byte, error) {
	if n > uint64(m.end-m.at) {
		return nil, fmt.Errorf("it takes %d bytes, and %d are left in the file: the file is truncated", n, m.end-m.at)
	}
	if n > limit {
		return nil, fmt.Errorf("it takes %d bytes; at most %d are read", n, limit)
	}
	b := make([]byte, n)
	got, err := io.ReadFull(m.r, b)
	m.at += int64(got)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = errTruncated
	}
	return b, err
}

// uint is a little-endian number of some bytes, up to 8.
func (m *machine) uint(size int) (uint64, error) {
	b, err := m.bytes(uint64(size), 8)
	if err != nil {
		return 0, err
	}
	var whole [8]byte
	copy(whole[:], b)
	return binary.LittleEndian.Uint64(whole[:]), nil
}

// counted are bytes behind their number, which itself has so many bytes.
func (m *machine) counted(size int) ([]byte, error) {
	n, err := m.uint(size)
	if err != nil {
		return nil, err
	}
	return m.bytes(n, maxString)
}

// line is a line without its end.
func (m *machine) line() (string, error) {
	var line []byte
	for len(line) <= maxLine {
		c, err := m.byte()
		if err != nil {
			return "", err
		}
		if c == '\n' {
			return string(bytes.TrimSuffix(line, []byte("\r"))), nil
		}
		line = append(line, c)
	}
	return "", fmt.Errorf("a line has more than %d bytes", maxLine)
}

// long is a two's complement number, little-endian.
func long(b []byte) any {
	if len(b) <= 8 {
		var whole [8]byte
		if len(b) > 0 && b[len(b)-1]&0x80 != 0 {
			whole = [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
		}
		copy(whole[:], b)
		return int64(binary.LittleEndian.Uint64(whole[:]))
	}
	bigEndian := slices.Clone(b)
	slices.Reverse(bigEndian)
	n := new(big.Int).SetBytes(bigEndian)
	if bigEndian[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

// decimal is an integer of protocol 0, such as 12, 12L, or 00 and 01, which are false and true.
func decimal(text string) (any, error) {
	switch text {
	case "00":
		return false, nil
	case "01":
		return true, nil
	}
	text = strings.TrimSuffix(text, "L")
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	if len(text) <= maxLong {
		if n, ok := new(big.Int).SetString(text, 10); ok {
			return n, nil
		}
	}
	return nil, fmt.Errorf("%.40q is not an integer", text)
}

// quoted is a string of protocol 0, as Python 2 prints it.
func quoted(text string) (string, error) {
	wrong := fmt.Errorf("%.40q is not a string in quotes", text)
	if len(text) < 2 || text[0] != text[len(text)-1] || text[0] != '\'' && text[0] != '"' {
		return "", wrong
	}
	text = text[1 : len(text)-1]
	var b strings.Builder
	for len(text) > 0 {
		c := text[0]
		text = text[1:]
		if c != '\\' {
			b.WriteByte(c)
			continue
		}
		if text == "" {
			return "", wrong
		}
		c, text = text[0], text[1:]
		if plain := strings.IndexByte(`\'"nrtabfv`, c); plain >= 0 {
			b.WriteByte("\\'\"\n\r\t\a\b\f\v"[plain])
			continue
		}
		if c != 'x' || len(text) < 2 {
			return "", wrong
		}
		n, err := strconv.ParseUint(text[:2], 16, 8)
		if err != nil {
			return "", wrong
		}
		b.WriteByte(byte(n))
		text = text[2:]
	}
	return b.String(), nil
}

// unescaped is a text of protocol 0: Latin-1, with \uXXXX and \UXXXXXXXX for others.
func unescaped(text string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) || text[i+1] != 'u' && text[i+1] != 'U' {
			b.WriteRune(rune(text[i]))
			continue
		}
		digits := 4
		if text[i+1] == 'U' {
			digits = 8
		}
		if i+2+digits > len(text) {
			return "", fmt.Errorf("%.40q ends inside of a character", text)
		}
		r, err := strconv.ParseUint(text[i+2:i+2+digits], 16, 32)
		if err != nil || r > utf8.MaxRune {
			return "", fmt.Errorf("%.40q has a character that is none", text)
		}
		b.WriteRune(rune(r))
		i += 1 + digits
	}
	return b.String(), nil
}
