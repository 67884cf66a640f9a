package caffe

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hubel-go/hubel/internal/printable"
)

// tokenKind is what a token of a text is.
type tokenKind uint8

const (
	endToken tokenKind = iota
	wordToken
	numberToken // with its sign
	stringToken // text is what the quotes hold
	symbolToken
)

type token struct {
	kind tokenKind
	text string
	at   place
}

// String is the token as errors have it.
func (t token) String() string {
	const shown = 40
	text := t.text
	if len(text) > shown {
		text = text[:shown] + "…"
	}
	switch t.kind {
	case endToken:
		return "the end of the file"
	case stringToken:
		return "the string " + strconv.QuoteToGraphic(text)
	}
	return printable.Name(text)
}

// lexer cuts a text into tokens.
type lexer struct {
	text         []byte
	at           int // byte
	line, column int // of the byte, from 1
}

func (l *lexer) place() place { return place{line: l.line, column: l.column, offset: l.at} }

// peek is the byte that is n further, 0 behind the end.
func (l *lexer) peek(n int) byte {
	if l.at+n >= len(l.text) {
		return 0
	}
	return l.text[l.at+n]
}

func (l *lexer) step() {
	if l.text[l.at] == '\n' {
		l.line, l.column = l.line+1, 0
	}
	l.at++
	l.column++
}

// skip steps over spaces and comments.
func (l *lexer) skip() {
	for l.at < len(l.text) {
		switch c := l.text[l.at]; {
		case c == '#':
			for l.at < len(l.text) && l.text[l.at] != '\n' {
				l.step()
			}
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f':
			l.step()
		default:
			return
		}
	}
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

// read reads the next token.
func (l *lexer) read() (token, error) {
	l.skip()
	t := token{at: l.place()}
	if l.at == len(l.text) {
		return t, nil
	}
	begin := l.at
	switch c := l.peek(0); {
	case c == '"' || c == '\'':
		return l.quoted(t)
	case isLetter(c):
		t.kind = wordToken
		l.while(func(c byte) bool { return isLetter(c) || isDigit(c) })
	case isDigit(c) || c == '.' || c == '-':
		t.kind = numberToken
		if c == '-' {
			l.step()
			l.skip() // protobuf allows spaces behind the sign
		}
		digits := l.at
		l.while(func(c byte) bool {
			if (c == '-' || c == '+') && l.at > digits {
				before := l.text[l.at-1]
				return before == 'e' || before == 'E'
			}
			return isLetter(c) || isDigit(c) || c == '.'
		})
		t.text = string(l.text[digits:l.at])
		if c == '-' {
			t.text = "-" + t.text
		}
		return t, nil
	case strings.IndexByte("{}<>[]:,;", c) >= 0:
		t.kind = symbolToken
		l.step()
	default:
		r, size := utf8.DecodeRune(l.text[l.at:])
		if r == utf8.RuneError && size == 1 {
			return t, fmt.Errorf("%v: the byte 0x%02x is no text: the file is damaged, or not a prototxt", t.at, c)
		}
		return t, fmt.Errorf("%v: the character %q means nothing in a prototxt", t.at, r)
	}
	t.text = string(l.text[begin:l.at])
	return t, nil
}

func (l *lexer) while(in func(byte) bool) {
	for l.at < len(l.text) && in(l.text[l.at]) {
		l.step()
	}
}

// quoted reads a string in quotes of either kind, which ends in its line.
func (l *lexer) quoted(t token) (token, error) {
	t.kind = stringToken
	quote := l.peek(0)
	l.step()
	var b []byte
	for {
		if l.at == len(l.text) || l.peek(0) == '\n' {
			return t, fmt.Errorf("%v: the string that begins here does not end in its line: %c is missing", t.at, quote)
		}
		c := l.peek(0)
		at := l.place()
		l.step()
		switch c {
		case quote:
			t.text = string(b)
			return t, nil
		case '\\':
			var ok bool
			if b, ok = l.escape(b); !ok {
				return t, fmt.Errorf("%v: \\ is not followed by an escape of a string: a backslash itself is \\\\", at)
			}
		default:
			b = append(b, c)
		}
	}
}

// escape reads what stands behind a backslash.
func (l *lexer) escape(b []byte) ([]byte, bool) {
	c := l.peek(0)
	if i := strings.IndexByte(`abfnrtv\'"?`, c); i >= 0 && c != 0 {
		l.step()
		return append(b, "\a\b\f\n\r\t\v\\'\"?"[i]), true
	}
	digits := func(most, base int) (uint64, bool) {
		begin := l.at
		for l.at-begin < most && l.at < len(l.text) {
			if _, err := strconv.ParseUint(string(l.text[l.at]), base, 8); err != nil {
				break
			}
			l.step()
		}
		v, err := strconv.ParseUint(string(l.text[begin:l.at]), base, 32)
		return v, err == nil
	}
	switch {
	case c >= '0' && c <= '7':
		v, ok := digits(3, 8)
		return append(b, byte(v)), ok && v < 256
	case c == 'x' || c == 'X':
		l.step()
		v, ok := digits(2, 16)
		return append(b, byte(v)), ok
	case c == 'u' || c == 'U':
		l.step()
		want := map[byte]int{'u': 4, 'U': 8}[c]
		begin := l.at
		v, ok := digits(want, 16)
		ok = ok && l.at-begin == want && v <= utf8.MaxRune && utf8.ValidRune(rune(v))
		return utf8.AppendRune(b, rune(v)), ok
	}
	return b, false
}

func appendFloat32(b []byte, v float32) []byte {
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
}

func appendFloat64(b []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
}
