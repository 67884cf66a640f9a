package printable

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestName(t *testing.T) {
	for name, want := range map[string]string{
		"":                               "",
		"a b/c.png":                      "a b/c.png",
		`say "hi"\`:                      `say "hi"\`,
		"Käse 猫\u3000犬 🐈 e\u0301 \ufffd": "Käse 猫\u3000犬 🐈 e\u0301 \ufffd",
		"\x1b[2Jcat":                     `"\x1b[2Jcat"`,
		"two\nlines":                     `"two\nlines"`,
		"a\tb\rc":                        `"a\tb\rc"`,
		"caf\xe9":                        `"caf\xe9"`,
		"c1\u009b31m":                    `"c1\u009b31m"`,
		"\u202egnp.exe":                  `"\u202egnp.exe"`,
		"iso\u2066late\u2069":            `"iso\u2066late\u2069"`,
		"zero\u200bwidth\ufeff":          `"zero\u200bwidth\ufeff"`,
		"\u2028line":                     `"\u2028line"`,
		"tag\U000e0041":                  `"tag\U000e0041"`,
		"\x7f":                           `"\x7f"`,

		strings.Repeat("x", 4096):            strings.Repeat("x", 4096),
		strings.Repeat("x", 4097):            strings.Repeat("x", 200) + "... (4097 bytes)",
		"\n" + strings.Repeat("\x1b", 1<<20): `"\n` + strings.Repeat(`\x1b`, 199) + `"... (1048577 bytes)`,
	} {
		require.Equal(t, want, Name(name))
	}
}

func TestNames(t *testing.T) {
	require.Equal(t, "", Names(nil))
	require.Equal(t, `a, "b\n"`, Names([]string{"a", "b\n"}))
	many := strings.Split(strings.Repeat("x", 30), "")
	require.Equal(t, strings.Repeat("x, ", 19)+"x and 10 more", Names(many))
	require.Equal(t, strings.Repeat("x, ", 20)+"x", Names(many[:21]))
}

func TestLine(t *testing.T) {
	require.Equal(t, "one; two", Line("one\ntwo"))
}

// hostile has every byte, every character of two bytes, and what else could steer
// a terminal or the eye.
func hostile() string {
	var b strings.Builder
	for c := range 256 {
		b.WriteByte(byte(c))
	}
	for r := rune(0); r < 0x3000; r++ {
		b.WriteRune(r)
	}
	b.WriteString("\ufeff\ufff9\U000e0001\U000e0041\U0001f408\xf0\x9f\x90")
	return b.String()
}

// Whatever is written, and however it is cut into pieces, what comes out is UTF-8
// that shows.
func TestWriter(t *testing.T) {
	text := hostile()
	var want string
	for _, piece := range []int{1, 2, 3, 5, 4096, len(text)} {
		var out bytes.Buffer
		w := NewWriter(&out)
		for at := 0; at < len(text); at += piece {
			part := text[at:min(at+piece, len(text))]
			n, err := fmt.Fprint(w, part)
			require.NoError(t, err)
			require.Equal(t, len(part), n)
		}
		require.NoError(t, w.Flush())
		require.NoError(t, w.Flush())
		if want == "" {
			want = out.String()
		}
		require.Equal(t, want, out.String(), "in pieces of %d", piece)
		require.True(t, utf8.ValidString(want))
		for line := range strings.SplitSeq(want, "\n") {
			shown := strings.ReplaceAll(line, "\t", "")
			for r := range strings.SplitSeq(shown, "") {
				require.Equal(t, r, Name(r))
			}
		}
	}
	require.Contains(t, want, `\u001b`)
	require.Contains(t, want, `\u009b`)
	require.Contains(t, want, `\u202e`)
	require.Contains(t, want, `\udb40\udc41🐈\xf0\x9f\x90`)
	require.Contains(t, want, `\xff`)
	require.Contains(t, want, "\t\n")
}

// JSON says the same behind the Writer.
func TestWriterKeepsJSON(t *testing.T) {
	value := []string{strings.ToValidUTF8(hostile(), "?"), "a\"\\b"}
	text, err := json.Marshal(value)
	require.NoError(t, err)
	var out bytes.Buffer
	w := NewWriter(&out)
	_, err = w.Write(text)
	require.NoError(t, err)
	require.NotEqual(t, string(text), out.String())
	var back []string
	require.NoError(t, json.Unmarshal(out.Bytes(), &back))
	require.Equal(t, value, back)
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestWriterFails(t *testing.T) {
	w := NewWriter(full{})
	_, err := w.Write([]byte("x\xf0"))
	require.ErrorContains(t, err, "no space")
	require.Error(t, w.Flush())
	require.Equal(t, full{}, w.Under())
}
