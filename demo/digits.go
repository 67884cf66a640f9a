package demo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
)

// magic begins a file of digits. Then come two numbers, how many there are to train on and
// to test on, in 4 bytes each, little-endian; the labels, a byte each; and the digits, two
// pixels in a byte, the first one in the upper half. A pixel has 4 bits: 0, 17, 34 … 255.
const magic = "hubel digits 1\n\x00"

const (
	levels      = 15 // the largest number of 4 bits
	packedDigit = Side * Side / 2
)

// Digits is a data set of digits in 4 bits a pixel.
type Digits struct {
	labels []byte
	pixels []byte // packedDigit for each
}

// Pack writes the first digits of two data sets as a file for Unpack.
func Pack(train, test data.Dataset, trains, tests int) ([]byte, error) {
	file := []byte(magic)
	file = binary.LittleEndian.AppendUint32(file, uint32(trains))
	file = binary.LittleEndian.AppendUint32(file, uint32(tests))
	var pixels []byte
	for _, part := range []struct {
		of data.Dataset
		n  int
	}{{train, trains}, {test, tests}} {
		if n := part.of.Shape().TotalSize(); n != Side*Side || part.n > part.of.Len() {
			return nil, fmt.Errorf("%d samples of %d values: there must be %d of %d", part.of.Len(), n, part.n, Side*Side)
		}
		digit := make([]float32, Side*Side)
		for i := range part.n {
			label, err := part.of.Read(digit, i)
			if err != nil {
				return nil, err
			}
			file = append(file, byte(label))
			for k := 0; k < len(digit); k += 2 {
				pixels = append(pixels, level(digit[k])<<4|level(digit[k+1]))
			}
		}
	}
	return append(file, pixels...), nil
}

// level is the nearest of the levels that a pixel may have.
func level(pixel float32) byte { return byte(pixel*levels/255 + 0.5) }

// Unpack reads a file of Pack, of which the data sets are parts.
func Unpack(file []byte) (train, test *Digits, err error) {
	if len(file) < len(magic)+8 || string(file[:len(magic)]) != magic {
		return nil, nil, errors.New("this is no file of digits")
	}
	file = file[len(magic):]
	trains, tests := int64(binary.LittleEndian.Uint32(file)), int64(binary.LittleEndian.Uint32(file[4:]))
	file = file[8:]
	if n := trains + tests; int64(len(file)) != n*(1+packedDigit) {
		return nil, nil, fmt.Errorf("a file of %d digits has %d bytes for them, not %d", n, n*(1+packedDigit), len(file))
	}
	labels, pixels := file[:trains+tests], file[trains+tests:]
	for i, l := range labels {
		if l > 9 {
			return nil, nil, fmt.Errorf("digit %d has the label %d", i, l)
		}
	}
	cut := trains * packedDigit
	return &Digits{labels[:trains], pixels[:cut]}, &Digits{labels[trains:], pixels[cut:]}, nil
}

var (
	digitShape   = tensor.Shape{1, Side, Side}
	digitClasses = func() (names []string) {
		for i := range 10 {
			names = append(names, strconv.Itoa(i))
		}
		return names
	}()
)

// Len is the number of digits.
func (d *Digits) Len() int { return len(d.labels) }

// Shape is [1,Side,Side].
func (d *Digits) Shape() tensor.Shape { return digitShape }

// Classes are "0" to "9".
func (d *Digits) Classes() []string { return digitClasses }

// Read writes the pixels of a digit, 0 to 255, and returns its label.
func (d *Digits) Read(dst []float32, i int) (label int32, err error) {
	for k, pair := range d.pixels[i*packedDigit : (i+1)*packedDigit] {
		dst[2*k], dst[2*k+1] = float32(pair>>4)*(255/levels), float32(pair&levels)*(255/levels)
	}
	return int32(d.labels[i]), nil
}
