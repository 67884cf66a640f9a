package command

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hubel-go/hubel/internal/printable"
)

// Quoted is a word of a command as a shell takes it.
func Quoted(word string) string {
	if printable.Name(word) != word { // bytes in octal, as POSIX has it since 2024, and bash and zsh before
		var b strings.Builder
		for _, c := range []byte(word) {
			if c >= utf8.RuneSelf || c < ' ' || strings.ContainsRune("'\\\x7f", rune(c)) {
				fmt.Fprintf(&b, `\%03o`, c)
			} else {
				b.WriteByte(c)
			}
		}
		return "$'" + b.String() + "'"
	}
	if !strings.ContainsAny(word, " \t\n'\"`$&|;<>()[]{}*?#~!") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
