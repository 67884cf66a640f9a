package data

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hubel-go/hubel/internal/atomicfile"
)

// CheckOptions say how Check works.
type CheckOptions struct {
	MeasureOptions

	// Cache is a folder that keeps what was found, by the names, sizes and
	// times of the files and the steps of the Augment, so that it is found only
	// once. Where it is empty nothing is cached.
	Cache string
}

// found is what a file of the cache holds.
type found struct {
	Statistics *Statistics `json:"statistics"`
	Bad        []int       `json:"bad,omitempty"` // indexes of files, in order
	Reasons    []string    `json:"reasons,omitempty"`
}

// Check decodes every file once, leaves out those that cannot be decoded, and
// returns the statistics of the samples that the Augment makes of the others
// in a test.
func (f *Files) Check(ctx context.Context, a Augment, o CheckOptions) (*Statistics, error) {
	path := ""
	if o.Cache != "" && !o.Whole { // covariances of whole samples are not kept
		path = filepath.Join(o.Cache, f.fingerprint(a)+".json")
		if s, ok := f.recall(path); ok {
			return s, nil
		}
	}
	photos, err := NewPhotos(f, a, nil)
	if err != nil {
		return nil, err
	}
	s, bad, err := Measure(ctx, photos, o.MeasureOptions)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.shards[0], err)
	}
	cached := found{Statistics: s}
	for _, b := range bad {
		cached.Bad = append(cached.Bad, b.Sample)
		cached.Reasons = append(cached.Reasons, reasonOf(b.Err))
	}
	if path != "" {
		// The cache saves time; that it cannot be written is no reason to stop.
		_ = os.MkdirAll(o.Cache, 0o777)
		_ = atomicfile.Write(path, func(w io.Writer) error { return json.NewEncoder(w).Encode(cached) })
	}
	f.drop(cached)
	return s, nil
}

// reasonOf is an error of a file without its name, which stands before it.
func reasonOf(err error) string {
	if inner := errors.Unwrap(err); inner != nil {
		err = inner
	}
	return reason(err)
}

// recall uses what the cache has, if it has it.
func (f *Files) recall(path string) (*Statistics, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, false
	}
	var cached found
	if json.Unmarshal(text, &cached) != nil || cached.Statistics == nil || len(cached.Bad) != len(cached.Reasons) {
		return nil, false
	}
	f.drop(cached)
	return cached.Statistics, true
}

// drop leaves the bad files out.
func (f *Files) drop(bad found) {
	kept := f.files[:0]
	next := 0
	for i, e := range f.files {
		if next < len(bad.Bad) && i == bad.Bad[next] {
			f.skip(int(e.shard), e.stored, bad.Reasons[next])
			next++
			continue
		}
		kept = append(kept, e)
	}
	f.files = kept
}

// fingerprint tells sets of files and the samples made of them apart.
func (f *Files) fingerprint(a Augment) string {
	h := sha256.New()
	w := bufio.NewWriter(h)
	fmt.Fprintln(w, "hubel check 4", a.Test())
	if stack := f.stackChannels(); stack > 0 {
		fmt.Fprintln(w, "channels", stack)
	}
	if f.caffe != nil {
		fmt.Fprintln(w, "order", f.caffe.bgr())
	}
	for _, s := range f.shards {
		if abs, err := filepath.Abs(s); err == nil {
			s = abs
		}
		fmt.Fprintf(w, "%q\n", s)
	}
	for i := range f.files {
		e := &f.files[i]
		fmt.Fprintf(w, "%q %d %d %d %d\n", e.stored, e.shard, e.offset, e.size, e.time)
	}
	w.Flush()
	return hex.EncodeToString(h.Sum(nil)[:16])
}
