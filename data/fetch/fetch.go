// Package fetch gets the files of public data sets from where package managers
// have them, and puts them in place once their checksums are right.
package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/internal/atomicfile"
)

// Set is a data set that can be fetched.
type Set struct {
	Name string
	Dir  string            // where it goes unless told otherwise
	Sums map[string]string // SHA-256 in hexadecimal, by file name

	// Source gets the files and returns the folder where they lie. temp is an
	// empty folder that is removed afterwards.
	Source func(ctx context.Context, temp string) (folder string, err error)
}

// Sets are the data sets that can be fetched.
var Sets = []Set{
	{
		Name: "mnist",
		Dir:  data.MNISTDir,
		Sums: map[string]string{
			"t10k-images-idx3-ubyte.gz":  "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
			"t10k-labels-idx1-ubyte.gz":  "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
			"train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
			"train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
		},
		Source: mnistModule,
	},
	{
		Name: "fashion-mnist",
		Dir:  data.FashionMNISTDir,
		// Of the files as Debian compressed them, which differ from Zalando's.
		Sums: map[string]string{
			"t10k-images-idx3-ubyte.gz":  "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
			"t10k-labels-idx1-ubyte.gz":  "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
			"train-images-idx3-ubyte.gz": "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
			"train-labels-idx1-ubyte.gz": "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
		},
		Source: fashionMNISTPackage,
	},
}

// Names lists the data sets that can be fetched.
func Names() []string {
	names := make([]string, len(Sets))
	for i, s := range Sets {
		names[i] = s.Name
	}
	return names
}

// Find returns the set of the name. Its error lists those there are.
func Find(name string) (Set, error) {
	for _, s := range Sets {
		if s.Name == name {
			return s, nil
		}
	}
	return Set{}, fmt.Errorf("data set %q is unknown; there are %s", name, strings.Join(Names(), ", "))
}

// Fetch puts the files that are missing or damaged in dir into place, and says
// on out what it did. A file only appears under its name when it is whole and
// its checksum is right.
func (s Set) Fetch(ctx context.Context, dir string, out io.Writer) error {
	var wanted []string
	for _, name := range slices.Sorted(maps.Keys(s.Sums)) {
		sum, err := sumOf(filepath.Join(dir, name))
		switch {
		case err == nil && sum == s.Sums[name]:
			continue
		case err == nil:
			fmt.Fprintf(out, "%s has another checksum and will be replaced\n", filepath.Join(dir, name))
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		wanted = append(wanted, name)
	}
	if len(wanted) == 0 {
		fmt.Fprintf(out, "%s: all %d files of %s are there already\n", dir, len(s.Sums), s.Name)
		return nil
	}

	temp, err := os.MkdirTemp("", "fetch-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	folder, err := s.Source(ctx, temp)
	if err != nil {
		return fmt.Errorf("cannot get %s: %w", s.Name, err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for _, name := range wanted {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := install(filepath.Join(dir, name), filepath.Join(folder, name), s.Sums[name]); err != nil {
			return err
		}
		fmt.Fprintln(out, filepath.Join(dir, name))
	}
	return nil
}

// install copies src to dst if its checksum is right.
func install(dst, src, sum string) error {
	f, err := os.Open(src)
	if err != nil {
		return err
	}
	defer f.Close()
	return atomicfile.Write(dst, func(w io.Writer) error {
		h := sha256.New()
		if _, err := io.Copy(io.MultiWriter(w, h), f); err != nil {
			return err
		}
		if got := hexSum(h); got != sum {
			return fmt.Errorf("the source %s has SHA-256 %s, not %s", src, got, sum)
		}
		return nil
	})
}

func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hexSum(h), nil
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
