package inflate

import (
	"bytes"
	"compress/zlib"
	"testing"

	"github.com/stretchr/testify/require"
)

func deflated(t testing.TB, data []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, err := w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestWhole(t *testing.T) {
	for _, data := range [][]byte{{}, []byte("a"), bytes.Repeat([]byte("abc"), 5000), make([]byte, 1<<20)} {
		b := deflated(t, data)
		got, err := Whole(b, uint64(len(data)))
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got))
		head := make([]byte, min(3, len(data)))
		require.NoError(t, Begin(head, b))
		require.Equal(t, data[:len(head)], head)
		require.Error(t, Begin(make([]byte, len(data)+1), b))
		_, err = Whole(b, uint64(len(data)+1))
		require.ErrorContains(t, err, "in place of")
		if len(data) > 0 {
			_, err = Whole(b, uint64(len(data)-1))
			require.ErrorContains(t, err, "it inflates to more than")
		}
		for n := 0; n < len(b); n += 1 + n/20 {
			_, err = Whole(b[:n], uint64(len(data)))
			require.Error(t, err, "cut to %d of %d bytes", n, len(b))
		}
		b[len(b)-1] ^= 1 // of the checksum
		_, err = Whole(b, uint64(len(data)))
		require.ErrorContains(t, err, "it cannot be inflated: zlib: invalid checksum")
	}
	_, err := Whole(make([]byte, 1000), 1<<40)
	require.ErrorIs(t, err, ErrTooLarge)
	require.ErrorContains(t, Begin(nil, []byte("PK\x03\x04")), "it cannot be inflated: zlib: invalid header")
}

func FuzzWhole(f *testing.F) {
	f.Add(deflated(f, []byte("some text, some text")), uint16(20))
	f.Add(deflated(f, nil), uint16(0))
	f.Add(deflated(f, make([]byte, 3000)), uint16(3000))
	f.Fuzz(func(t *testing.T, b []byte, n uint16) {
		if out, err := Whole(b, uint64(n)); err == nil && len(out) != int(n) {
			t.Fatalf("%d bytes in place of %d", len(out), n)
		}
	})
}
