package darknet

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"gorgonia.org/tensor"
)

// version is how a file of weights begins.
type version struct{ major, minor, revision int }

// String is as Darknet writes versions.
func (v version) String() string { return fmt.Sprintf("%d.%d.%d", v.major, v.minor, v.revision) }

// parseVersion reads the beginning of a file of weights, and how many bytes it takes: since
// version 0.2 the number of images that were seen has eight instead of four.
func parseVersion(head []byte) (v version, size int, err error) {
	if len(head) < 16 {
		return v, 0, errors.New("truncated: weights of Darknet begin with 16 or 20 bytes")
	}
	numbers := [3]int{}
	for i := range numbers {
		numbers[i] = int(int32(binary.LittleEndian.Uint32(head[4*i:])))
	}
	v = version{numbers[0], numbers[1], numbers[2]}
	const most = 100 // of each number: there have been 0.1, 0.2 and a few
	if v.major < 0 || v.minor < 0 || v.revision < 0 || max(v.major, v.minor, v.revision) > most {
		return v, 0, fmt.Errorf("the version at its beginning, %v, is none that Darknet has had: the file is of another program, or damaged", v)
	}
	if v.major*10+v.minor < 2 {
		return v, 16, nil
	}
	if len(head) < 20 {
		return v, 0, errors.New("truncated: weights of Darknet from version 0.2 on begin with 20 bytes")
	}
	return v, 20, nil
}

// load reads the weights into the tensors that the layers have asked for, in their order.
func (b *builder) load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := b.loadFrom(f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (b *builder) loadFrom(f *os.File) error {
	s, err := f.Stat()
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(f, 1<<16)
	begin, err := r.Peek(int(min(s.Size(), 20)))
	if err != nil {
		return err
	}
	v, size, err := parseVersion(begin)
	if err != nil {
		return err
	}
	b.model.Facts = append(b.model.Facts, fmt.Sprintf("weights: version %v", v))
	rest := s.Size() - int64(size)
	if rest%4 != 0 {
		return fmt.Errorf("after the first %d bytes there are %d, which are no float32 numbers: the file is damaged", size, rest)
	}
	want := int64(0)
	for _, w := range b.weights {
		n := int64(tensor.Shape(w.shape).TotalSize())
		if want+n > rest/4 { // before memory is taken
			return fmt.Errorf("truncated, or of another network: it holds %d numbers, and %s, %v, of line %d ends after %d", rest/4, w.name, w.shape, w.line, want+n)
		}
		want += n
	}
	if want != rest/4 {
		return fmt.Errorf("it holds %d numbers, and %s takes %d: it is of another network", rest/4, b.path, want)
	}
	if _, err := r.Discard(size); err != nil {
		return err
	}
	b.model.Weights = map[string]*tensor.Dense{}
	for _, w := range b.weights {
		values := make([]float32, tensor.Shape(w.shape).TotalSize())
		var four [4]byte
		for i := range values {
			if _, err := io.ReadFull(r, four[:]); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(four[:]))
		}
		b.model.Weights[w.name] = tensor.New(tensor.WithShape(w.shape...), tensor.WithBacking(values))
	}
	return nil
}
