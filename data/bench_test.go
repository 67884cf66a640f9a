package data

import (
	"image"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkPhotos makes training samples, decoded and augmented, with one
// goroutine and with one for each core: of photographs of 500x375 in a folder
// or tar file, HUBEL_PHOTOS, or of made-up ones.
func BenchmarkPhotos(b *testing.B) {
	path := os.Getenv("HUBEL_PHOTOS")
	if path == "" {
		path = b.TempDir()
		for i, name := range []string{"c/1.jpg", "c/2.jpg", "c/3.jpg"} {
			writeTree(b, path, map[string][]byte{name: asJPEG(b, speckled(375, 500, i))})
		}
	}
	f, err := OpenFiles(path)
	require.NoError(b, err)
	stats := &Statistics{Mean: Floats{118, 116, 109}, Variances: []float64{0.2, 0.02, 0.004}, Components: []float64{1, 0, 0, 0, 1, 0, 0, 0, 1}}
	for _, text := range []string{
		"resize=256,crop=227",
		"resize=256,crop=227,flip,pca=0.1",
		"rrcrop=224,flip,brightness=0.4,contrast=0.4,saturation=0.4,pca=0.1",
		"resize=256,rotate=10,crop=227,flip",
	} {
		a, err := ParseAugment(text)
		require.NoError(b, err)
		p, err := NewPhotos(f, a, stats)
		require.NoError(b, err)
		for name, workers := range map[string]int{"1": 1, "all": 0} {
			b.Run(text+"/workers="+name, func(b *testing.B) {
				l, err := NewLoader(b.Context(), p.Varied(), LoaderOptions{Batch: 16, Shuffle: true, Workers: workers, Preprocess: Preprocess{Mean: stats.Mean}})
				require.NoError(b, err)
				defer l.Close()
				n := 0
				for b.Loop() {
					batch, err := l.Next()
					require.NoError(b, err)
					n += batch.N
					batch.Release()
				}
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "pictures/s")
			})
		}
	}
}

// speckled is drawn with noise, so that its file is as large as a
// photograph's.
func speckled(h, w, seed int) image.Image {
	m := drawn(h, w, seed)
	x := uint32(seed + 1)
	for i := range m.Pix {
		x = x*1664525 + 1013904223
		if i%4 != 3 {
			m.Pix[i] += uint8(x>>24) / 16
		}
	}
	return m
}

// BenchmarkIndex opens the tar file, or the folder of tar files, HUBEL_TAR: without an
// index, or from the one that the folder HUBEL_INDEX keeps. MB is what the process has
// taken of the machine's memory.
func BenchmarkIndex(b *testing.B) {
	path := os.Getenv("HUBEL_TAR")
	if path == "" {
		b.Skip("HUBEL_TAR names no tar file")
	}
	var x *Index
	if folder := os.Getenv("HUBEL_INDEX"); folder != "" {
		x = &Index{Folder: folder}
	}
	for b.Loop() {
		parts, err := openSet(b.Context(), path, "", x)
		require.NoError(b, err)
		b.ReportMetric(float64(parts[0].Len()), "pictures")
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/1e6, "MB")
}
