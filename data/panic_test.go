package data

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// broken is numbered with a way to break in sample 4.
func broken(how func()) numbered {
	return numbered{n: 12, read: func(i int) error {
		if i == 4 {
			how()
		}
		return nil
	}}
}

// What a data set does wrong on a loader's goroutine is an error of the sample, and
// neither the end of the process nor a wait without end.
func TestADataSetThatPanics(t *testing.T) {
	var none *numbered
	for want, how := range map[string]func(){
		"the data set panicked: no such disk, at panic_test.go:":              func() { panic("no such disk") },
		"the data set panicked: runtime error: invalid memory address or nil": func() { none.n++ },
		"the data set panicked: runtime error: index out of range [12] with":  func() { _ = make([]int, 3)[none.nowhere()] },
	} {
		d := broken(how)
		for _, workers := range []int{1, 3} {
			l := newLoader(t, d, LoaderOptions{Batch: 3, Workers: workers})
			b, err := l.Next()
			require.NoError(t, err)
			b.Release()
			_, err = l.Next()
			require.ErrorContains(t, err, "sample 4: "+want)
			l.Close()
		}
		_, err := Read(d, make([]float32, 2), 4)
		require.ErrorContains(t, err, want)
		_, bad, err := Measure(t.Context(), d, MeasureOptions{})
		require.NoError(t, err)
		require.Len(t, bad, 1)
		require.Equal(t, 4, bad[0].Sample)
		require.ErrorContains(t, bad[0].Err, want)
	}
}

func (*numbered) nowhere() int { return 12 }

func TestADataSetThatEndsItsGoroutine(t *testing.T) {
	for _, workers := range []int{1, 3} {
		l := newLoader(t, broken(runtime.Goexit), LoaderOptions{Batch: 3, Workers: workers})
		b, err := l.Next()
		require.NoError(t, err)
		b.Release()
		_, err = l.Next()
		require.EqualError(t, err, "sample 4: the data set ended the goroutine that reads it")
		l.Close()
	}
}

func TestALoaderOfNothing(t *testing.T) {
	_, err := NewLoader(t.Context(), nil, LoaderOptions{Batch: 1})
	require.EqualError(t, err, "data loader: there is no data set")
}
