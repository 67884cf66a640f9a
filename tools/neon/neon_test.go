package main

import (
	"encoding/binary"
	"go/constant"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// needsObjdump skips a test where there is none.
func needsObjdump(t *testing.T) {
	if _, err := exec.LookPath(objdump); err != nil {
		t.Skipf("no %s: apt-get install binutils-aarch64-linux-gnu", objdump)
	}
}

// TestShares: the loops of products are at least 85 % FMLA, where a tile is at least eight
// rows and columns, and load fewer registers than OpenBLAS's tile of 16x4 for the Neoverse
// N1 (sgemm_kernel_16x4.S: 5 for 16 FMLA).
func TestShares(t *testing.T) {
	if os.Getenv("HUBEL_LONG") == "" {
		t.Skip("builds tests for arm64: HUBEL_LONG=1 runs it, and make test-arm64")
	}
	needsObjdump(t)
	loops, err := count()
	require.NoError(t, err)
	shares := map[string]loop{}
	for _, l := range loops {
		t.Logf("%s: %d of %d, %d registers loaded", l.name, l.fmla, l.all, l.loaded)
		shares[l.name] = l
	}
	for _, name := range []string{"neon8x12", "neon8x8"} {
		l := shares[name]
		require.GreaterOrEqual(t, l.share(), 0.85, name)
		require.Less(t, 16*l.loaded, 5*l.fmla, name)
	}
	indirect := shares["indirect8x12"]
	require.GreaterOrEqual(t, indirect.share(), 0.65)
}

func TestLongestLoop(t *testing.T) {
	l, err := longest("  10:\t4f801048 \tfmla\tv8.4s, v2.4s, v0.s[0]\n" +
		"  14:\t4cc4a9a0 \tld1\t{v0.4s, v1.4s}, [x13], x4\n" +
		"  18:\t4cc569c2 \tld1\t{v2.4s-v4.4s}, [x14], x5\n" +
		"  1c:\tbc636803 \tldr\ts3, [x0, x3]\n" +
		"  20:\t4f801048 \tfmla\tv8.4s, v2.4s, v0.s[0]\n" +
		"  24:\tb5ffffec \tcbnz\tx12, 14 <f+0x4>\n")
	require.NoError(t, err)
	require.Equal(t, loop{all: 5, fmla: 1, loaded: 6}, l)
	_, err = longest("")
	require.ErrorContains(t, err, "no loop")
}

var definition = regexp.MustCompile(`(?m)^#define (\w+)\(([\w, ]+)\) WORD \$(\(.*\)) // (.+)$`)

// TestEncodings holds every instruction that the headers encode against what objdump says
// of it, for the registers 1, 2 and 3; a fourth parameter, a lane, is 3 as well.
func TestEncodings(t *testing.T) {
	needsObjdump(t)
	headers, err := filepath.Glob("../../kernels/cpu/*/neon_arm64.h")
	require.NoError(t, err)
	require.Len(t, headers, 4)
	var words []byte
	var want []string
	for _, header := range headers {
		text, err := os.ReadFile(header)
		require.NoError(t, err)
		found := definition.FindAllStringSubmatch(string(text), -1)
		require.Len(t, found, strings.Count(string(text), "#define"), header)
		for _, m := range found {
			e := m[3]
			for i, parameter := range strings.Split(m[2], ", ") {
				e = regexp.MustCompile(`\b`+parameter+`\b`).ReplaceAllString(e, strconv.Itoa(min(i+1, 3)))
			}
			v, err := types.Eval(token.NewFileSet(), nil, token.NoPos, e)
			require.NoError(t, err, m[1])
			word, exact := constant.Uint64Val(v.Value)
			require.True(t, exact && word < 1<<32, m[1])
			words = binary.LittleEndian.AppendUint32(words, uint32(word))
			want = append(want, m[4])
		}
	}
	file := filepath.Join(t.TempDir(), "words")
	require.NoError(t, os.WriteFile(file, words, 0o600))
	text, err := exec.Command(objdump, "-D", "-b", "binary", "-m", "aarch64", file).Output()
	require.NoError(t, err)
	var got []string
	for line := range strings.Lines(string(text)) {
		if m := instruction.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			got = append(got, m[2]+" "+m[3])
		}
	}
	require.Equal(t, want, got)
}
