package pickle_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/formats/pickle"
)

func decode(b []byte, o pickle.Options) (any, error) {
	v, _, err := pickle.Decode(bytes.NewReader(b), 0, int64(len(b)), o)
	return v, err
}

// stringEncoder lets protocols 0 to 2 write bytes as calls of bytes() and of encode.
var options = pickle.Options{Functions: map[pickle.Global]pickle.Func{
	{Module: "__builtin__", Name: "bytes"}: func(pickle.Tuple) (any, error) { return []byte(nil), nil },
}}

// The files were written by CPython 3.11: the same dictionary in each protocol.
func TestEveryProtocolIsRead(t *testing.T) {
	huge := new(big.Int).Lsh(big.NewInt(1), 100)
	for protocol := range 6 {
		b, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("protocol%d.pickle", protocol)))
		require.NoError(t, err)
		v, err := decode(b, options)
		require.NoError(t, err, "protocol %d", protocol)
		d := v.(*pickle.Dict)
		want := func(key string, value any) {
			got, ok := d.Get(key)
			require.True(t, ok, key)
			require.EqualValues(t, value, got, "protocol %d: %s", protocol, key)
		}
		want("none", nil)
		want("true", true)
		want("false", false)
		want("small", int64(7))
		want("byte", int64(200))
		want("short", int64(60000))
		want("int", int64(-70000))
		want("big", int64(1<<40))
		want("negative", -int64(1<<40))
		want("huge", new(big.Int).Add(huge, big.NewInt(5)))
		want("minus", new(big.Int).Neg(huge))
		want("float", -2.5)
		want("text", "añ中\U0001f600\n\\")
		want("empty", "")
		want("bytes", []byte{0, 0xff})
		want("one", pickle.Tuple{int64(1)})
		want("two", pickle.Tuple{int64(1), int64(2)})
		want("three", pickle.Tuple{int64(1), int64(2), int64(3)})
		want("four", pickle.Tuple{int64(1), int64(2), int64(3), int64(4)})
		want("set", &pickle.Set{Items: []any{int64(3)}})
		want("frozen", &pickle.Set{Items: []any{int64(4)}})
		want("long text", strings.Repeat("x", 300))
		tuple, _ := d.Get("tuple")
		require.Empty(t, tuple)
		shared, _ := d.Get("shared")
		items := shared.(*pickle.List).Items
		require.Same(t, items[0], items[1])
		ordered, _ := d.Get("ordered")
		require.Equal(t, []any{"a", "b"}, ordered.(*pickle.Dict).Keys)
		dict, _ := d.Get("dict")
		require.Equal(t, []any{int64(1), pickle.Tuple{int64(1), int64(2)}}, dict.(*pickle.Dict).Keys)
	}
}

// Opcodes that CPython does not write, or not for such values.
func TestOtherOpcodes(t *testing.T) {
	object := pickle.Global{Module: "m", Name: "C"}
	o := pickle.Options{
		Class:      func(g pickle.Global) bool { return g == object },
		Persistent: func(id any) (any, error) { return fmt.Sprint("id ", id), nil },
	}
	for _, c := range []struct {
		name, pickle string
		want         any
	}{
		{"a string of Python 2", "S'a\\x41\\n\\''\n.", "aA\n'"},
		{"short binary strings", "U\x02a\xff.", "a\xff"},
		{"binary strings", "T\x02\x00\x00\x00ab.", "ab"},
		{"long of 4 bytes", "\x8b\x01\x00\x00\x00\xff.", int64(-1)},
		{"long without bytes", "\x8a\x00.", int64(0)},
		{"int of protocol 0", "I01\n.", true},
		{"false of protocol 0", "I00\n.", false},
		{"long of protocol 0", "L-5L\n.", int64(-5)},
		{"unicode of protocol 0", "V\\u0041\\U0001f600\xe9\n.", "A\U0001f600é"},
		{"dup and pop", "K\x0120.", int64(1)},
		{"pop of a mark", "K\x01(0.", int64(1)},
		{"pop up to a mark", "K\x01(K\x02K\x031.", int64(1)},
		{"persistent line", "Pabc\n.", "id abc"},
		{"persistent value", "K\x07Q.", "id 7"},
		{"dict of a mark", "(K\x01K\x02d.", nil},
		{"obj", "(cm\nC\nK\x05o.", &pickle.Object{Class: object, Args: pickle.Tuple{int64(5)}}},
		{"inst", "(K\x05im\nC\n.", &pickle.Object{Class: object, Args: pickle.Tuple{int64(5)}}},
		{"newobj with state", "cm\nC\n)\x81K\x09b.", &pickle.Object{Class: object, State: int64(9)}},
		{"newobj with keywords", "cm\nC\n)}\x92.", &pickle.Object{Class: object}},
		{"items of an object", "cm\nC\n)\x81K\x09a(K\x01K\x02u.", &pickle.Object{Class: object}},
		{"a line end of Windows", "I5\r\n.", int64(5)},
		{"memo of protocol 0", "I5\np3\n0g3\n.", int64(5)},
		{"byte array", "\x96\x02\x00\x00\x00\x00\x00\x00\x00ab.", []byte("ab")},
		{"a frame of another length", "\x95\x01\x00\x00\x00\x00\x00\x00\x00K\x05.", int64(5)},
	} {
		v, err := decode([]byte(c.pickle), o)
		require.NoError(t, err, c.name)
		if c.want != nil {
			require.Equal(t, c.want, v, c.name)
		}
	}
}

func TestWhatIsNotOnTheListIsRefused(t *testing.T) {
	for _, c := range []struct{ name, pickle, want string }{
		{"a function", "cposix\nsystem\n(S'true'\ntR.", "offset 0: GLOBAL: the pickle asks for posix.system, which is not on the list of what may be read; nothing was run"},
		{"by the stack", "\x8c\x02os\x8c\x06system\x93.", "offset 12: STACK_GLOBAL: the pickle asks for os.system"},
		{"by inst", "(S'true'\nios\nsystem\n.", "INST: the pickle asks for os.system"},
		{"a strange name", "cos\x1b[31m\nsystem\n.", `the pickle asks for "os\x1b[31m.system"`},
		{"a class that is called", "cm\nC\n)R.", "offset 6: REDUCE: the pickle asks for m.C"},
		{"an extension", "\x82\x01.", "offset 0: the opcode 0x82, EXT1, is not one that is read"},
		{"an outside buffer", "\x97.", "NEXT_BUFFER"},
		{"no opcode", "\x7f.", "offset 0: the opcode 0x7f is not one that is read"},
		{"a newer protocol", "\x80\x06.", "PROTO: protocol 6 is newer than 5"},
		{"a persistent id", "K\x01Q.", "a persistent id, where there can be none"},
		{"a call of a value", "K\x01)R.", "a value of the type int64 is called"},
		{"an instance of a value", "K\x01)\x81.", "a value of the type int64 is called"},
		{"arguments that are none", "ccollections\nOrderedDict\nK\x01R.", "collections.OrderedDict: its arguments are of the type int64"},
		{"pairs that are none", "ccollections\nOrderedDict\n(](K\x01ltR.", "it takes a list of pairs"},
		{"a set of no list", "c__builtin__\nset\nK\x01\x85R.", "it takes a list"},
		{"another encoding", "c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00utf8\x86R.", `it takes a text and "latin1"`},
		{"text beyond Latin-1", "c_codecs\nencode\nX\x03\x00\x00\x00\xe4\xb8\xadX\x06\x00\x00\x00latin1\x86R.", "the text is not Latin-1"},
		{"a state of a number", "K\x01K\x02b.", "BUILD: a value of the type int64 is given a state"},
		{"keyword arguments", "cm\nC\n)K\x01\x92.", "keyword arguments are not read"},
	} {
		_, err := decode([]byte(c.pickle), pickle.Options{Class: func(g pickle.Global) bool { return g.Module == "m" }})
		require.ErrorContains(t, err, c.want, c.name)
		require.NotContains(t, err.Error(), "\n")
		require.NotContains(t, err.Error(), "\x1b")
	}
	_, err := decode([]byte("cos\nsystem\n."), pickle.Options{})
	var refused *pickle.RefusedError
	require.True(t, errors.As(err, &refused))
	require.Equal(t, pickle.Global{Module: "os", Name: "system"}, refused.Global)
}

func TestDamagedPicklesAreErrors(t *testing.T) {
	for _, c := range []struct{ name, pickle, want string }{
		{"empty", "", "offset 0: the file ends inside of a pickle"},
		{"no value", ".", "STOP: the stack holds 0 values and 0 marks instead of one value"},
		{"two values", "NN.", "the stack holds 2 values and 0 marks"},
		{"a mark that is open", "N(.", "STOP: the stack holds 1 values and 1 marks"},
		{"pop of nothing", "0.", "POP: the stack is empty"},
		{"dup of nothing", "2.", "DUP: the stack is empty"},
		{"no mark", "Nt.", "TUPLE: there is no MARK before it"},
		{"no container", "(N(Nu.", "SETITEMS: a key has no value"},
		{"items of a number", "N(NNu.", "keys are set in a value of the type <nil>"},
		{"append to a number", "NNa.", "items are added to a value of the type <nil>"},
		{"through a mark", "N(a.", "the stack is empty"},
		{"nothing in the memo", "h\x05.", "BINGET: the memo has nothing at 5"},
		{"no place", "gx\n.", `GET: "x" is not a place in the memo`},
		{"nothing to put", "q\x05.", "BINPUT: the stack is empty"},
		{"a number that is none", "Ix\n.", `INT: "x" is not an integer`},
		{"a float that is none", "Fx\n.", "FLOAT: "},
		{"a string without quotes", "Sx\n.", `STRING: "x" is not a string in quotes`},
		{"a string with half an escape", "S'\\'\n.", "is not a string in quotes"},
		{"a string with another escape", "S'\\q'\n.", "is not a string in quotes"},
		{"a string with a bad byte", "S'\\xzz'\n.", "is not a string in quotes"},
		{"half a character", "V\\u00\n.", "ends inside of a character"},
		{"no character", "V\\U00ffffff\n.", "has a character that is none"},
		{"global of numbers", "K\x01K\x02\x93.", "a global is named by something that is no text"},
		{"obj of nothing", "(o.", "OBJ: the stack is empty"},
		{"a long string", "X\xff\xff\xff\x7f", "BINUNICODE: it takes 2147483647 bytes, and 0 are left in the file"},
		{"a longer string", "\x8d\xff\xff\xff\xff\xff\xff\xff\xff", "it takes 18446744073709551615 bytes"},
		{"a long frame", "\x95\xff\xff\xff\xff\xff\xff\xff\xffN.", "FRAME: a frame of 18446744073709551615 bytes"},
		{"a long integer", "\x8b\x00\x08\x00\x00" + strings.Repeat("\x01", 2048), "LONG4: it takes 2048 bytes; at most 1024 are read"},
		{"many digits", "L" + strings.Repeat("1", 2000) + "L\n.", "is not an integer"},
		{"a long line", "S" + strings.Repeat("x", 70000), "a line has more than 65536 bytes"},
		{"deep", strings.Repeat("(", 2000), "MARK: more than 1000 containers are open"},
	} {
		_, err := decode([]byte(c.pickle), pickle.Options{})
		require.ErrorContains(t, err, c.want, c.name)
		require.NotContains(t, err.Error(), "\n")
	}
	_, _, err := pickle.Decode(bytes.NewReader(nil), 5, 3, pickle.Options{})
	require.ErrorContains(t, err, "the pickle would begin outside of the file")
}

func TestValuesAreCounted(t *testing.T) {
	many := append(bytes.Repeat([]byte("}0"), 2000), "N."...)
	_, err := decode(many, pickle.Options{Values: 1000})
	require.ErrorContains(t, err, "offset 2000: EMPTY_DICT: the pickle makes too many values")
	_, err = decode(many, pickle.Options{})
	require.NoError(t, err)
}

// A call that copies a long value can be repeated in a few bytes.
func TestCallsOfLongValuesAreCounted(t *testing.T) {
	text := strings.Repeat("x", 1<<20)
	bomb := "X\x00\x00\x10\x00" + text + "q\x000" + strings.Repeat("c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R0", 1000) + "N."
	_, err := decode([]byte(bomb), pickle.Options{})
	require.ErrorContains(t, err, "REDUCE: the pickle makes too many values")
}

// A reader that fails is not a truncated file.
func TestErrorsOfTheReaderAreKept(t *testing.T) {
	_, _, err := pickle.Decode(failing{}, 0, 100, pickle.Options{})
	require.ErrorContains(t, err, "disk on fire")
}

type failing struct{}

func (failing) ReadAt([]byte, int64) (int, error) { return 0, errors.New("disk on fire") }

func TestPicklesFollowEachOther(t *testing.T) {
	b := []byte("K\x01.K\x02.K\x03.")
	for i, at := int64(1), int64(0); i <= 3; i++ {
		v, next, err := pickle.Decode(bytes.NewReader(b), at, int64(len(b)), pickle.Options{})
		require.NoError(t, err)
		require.Equal(t, i, v)
		require.Equal(t, 3*i, next)
		at = next
	}
}

func TestNoDamagePanics(t *testing.T) {
	for protocol := range 6 {
		b, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("protocol%d.pickle", protocol)))
		require.NoError(t, err)
		for n := range b {
			_, err := decode(b[:n], options)
			require.Error(t, err, "the first %d bytes of protocol %d", n, protocol)
		}
		for i := range b {
			for _, flip := range []byte{0x01, 0xff} {
				damaged := bytes.Clone(b)
				damaged[i] ^= flip
				_, _ = decode(damaged, options) // it may still be a pickle
			}
		}
	}
}

func TestKeysOfDictionaries(t *testing.T) {
	d := &pickle.Dict{}
	d.Set("a", 1)
	d.Set("a", 2)
	d.Set(pickle.Tuple{}, 3)
	d.Set(big.NewInt(9), 4)
	require.Equal(t, []any{"a", pickle.Tuple{}, "9"}, d.Keys)
	v, ok := d.Get("a")
	require.True(t, ok)
	require.Equal(t, 2, v)
	_, ok = d.Get("b")
	require.False(t, ok)
}

func TestInt(t *testing.T) {
	for _, v := range []any{int64(5), big.NewInt(5)} {
		n, ok := pickle.Int(v)
		require.True(t, ok)
		require.Equal(t, int64(5), n)
	}
	for _, v := range []any{"5", 5.0, new(big.Int).Lsh(big.NewInt(1), 70)} {
		_, ok := pickle.Int(v)
		require.False(t, ok)
	}
}

func FuzzDecode(f *testing.F) {
	for protocol := range 6 {
		b, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("protocol%d.pickle", protocol)))
		require.NoError(f, err)
		f.Add(b)
	}
	f.Add([]byte("cposix\nsystem\n(S'true'\ntR."))
	f.Add([]byte("(](K\x01K\x02eK\x01Q\x96\x02\x00\x00\x00\x00\x00\x00\x00ab."))
	o := options
	o.Class = func(g pickle.Global) bool { return len(g.Name) == 1 }
	o.Persistent = func(id any) (any, error) { return id, nil }
	o.Values = 100_000
	f.Fuzz(func(t *testing.T, b []byte) {
		_, next, err := pickle.Decode(bytes.NewReader(b), 0, int64(len(b)), o)
		require.LessOrEqual(t, next, int64(len(b)))
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
		}
	})
}
