package ptxsim

import (
	"fmt"
	"strings"
)

// token is a word, number, string or single character of PTX with its line.
type token struct {
	text string
	line int
}

// lex cuts PTX into tokens. Words hold dots and percent signs, so an opcode
// with its modifiers, a directive and a register are one token each.
func lex(src string) ([]token, error) {
	var out []token
	line := 1
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case c == '\n':
			line++
			i++
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case strings.HasPrefix(src[i:], "//"):
			for i < len(src) && src[i] != '\n' {
				i++
			}
		case strings.HasPrefix(src[i:], "/*"):
			end := strings.Index(src[i:], "*/")
			if end < 0 {
				return nil, fmt.Errorf("line %d: comment without end", line)
			}
			line += strings.Count(src[i:i+end], "\n")
			i += end + 2
		case c == '"':
			end := strings.IndexByte(src[i+1:], '"')
			if end < 0 {
				return nil, fmt.Errorf("line %d: string without end", line)
			}
			out = append(out, token{src[i : i+end+2], line})
			i += end + 2
		case wordByte(c):
			start := i
			for i < len(src) {
				if strings.HasPrefix(src[i:], "::") { // of a hint: L2::128B
					i += 2
				} else if wordByte(src[i]) {
					i++
				} else {
					break
				}
			}
			out = append(out, token{src[start:i], line})
		default:
			out = append(out, token{src[i : i+1], line})
			i++
		}
	}
	return append(out, token{"", line}), nil
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '_' || c == '$' || c == '%' || c == '.'
}
