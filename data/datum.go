package data

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// datum is what the head of a record of Caffe's says: a Datum of caffe.proto.
type datum struct {
	channels, height, width int
	label                   int64
	labelled                bool // it has a label, if only 0
	encoded                 bool // data is a picture in one of the usual formats

	at, size int64 // of data in the record
	floats   int64 // how many numbers there are, in the place of data
}

// The fields of a Datum.
const (
	datumChannels = 1
	datumHeight   = 2
	datumWidth    = 3
	datumData     = 4
	datumLabel    = 5
	datumFloats   = 6
	datumEncoded  = 7
)

// errChanged is the error of a record that is not as it was when the set was opened.
var errChanged = errors.New("the record has changed since the set was opened: another program writes to it")

var errDatum = errors.New("it is no record of Caffe's (a Datum), or damaged")

// datumHead is how much of a record is read at a time where it is not in memory.
const datumHead = 128

// readDatum reads the head of a record of size bytes. read gives n of them, from some place on;
// the bytes of data are not read.
func readDatum(size int64, read func(at, n int64) ([]byte, error)) (d datum, err error) {
	for at := int64(0); at < size; {
		b, err := read(at, min(datumHead, size-at))
		if err != nil {
			return d, err
		}
		for begin := len(b); len(b) > 0; {
			number, kind, n := protowire.ConsumeTag(b)
			if n < 0 {
				if begin == len(b) || at+int64(len(b)) == size {
					return d, errDatum
				}
				break // the next part begins here
			}
			if kind == protowire.BytesType {
				length, m := protowire.ConsumeVarint(b[n:])
				if m < 0 {
					if begin == len(b) || at+int64(len(b)) == size {
						return d, errDatum
					}
					break
				}
				body := at + int64(n+m)
				if length > uint64(size-body) {
					return d, errDatum
				}
				switch number {
				case datumData:
					d.at, d.size = body, int64(length)
				case datumFloats:
					if length%4 != 0 {
						return d, errDatum
					}
					d.floats += int64(length) / 4
				}
				at = body + int64(length)
				if skip := int64(n+m) + int64(length); skip < int64(len(b)) {
					b = b[skip:]
					continue
				}
				break
			}
			m := protowire.ConsumeFieldValue(number, kind, b[n:])
			if m < 0 {
				if begin == len(b) || at+int64(len(b)) == size {
					return d, errDatum
				}
				break
			}
			if err := d.set(number, kind, b[n:n+m]); err != nil {
				return d, err
			}
			b, at = b[n+m:], at+int64(n+m)
		}
	}
	return d, d.check()
}

// set takes a field that is not bytes.
func (d *datum) set(number protowire.Number, kind protowire.Type, b []byte) error {
	if number == datumFloats && kind == protowire.Fixed32Type {
		d.floats++
		return nil
	}
	if kind != protowire.VarintType {
		if number <= datumEncoded {
			return errDatum
		}
		return nil
	}
	v, _ := protowire.ConsumeVarint(b)
	n := int64(int32(v))
	switch number {
	case datumChannels:
		d.channels = int(n)
	case datumHeight:
		d.height = int(n)
	case datumWidth:
		d.width = int(n)
	case datumLabel:
		d.label, d.labelled = n, true
	case datumEncoded:
		d.encoded = v != 0
	case datumData, datumFloats:
		return errDatum
	}
	return nil
}

// check says what is wrong with a record by its head.
func (d *datum) check() error {
	switch {
	case d.label < 0:
		return fmt.Errorf("its label %d is not the number of a class", d.label)
	case d.encoded && d.size == 0:
		return errors.New("it says that it is an encoded picture, and holds none")
	case d.encoded:
		return nil
	case d.channels < 1 || d.height < 1 || d.width < 1:
		return fmt.Errorf("its shape is %dx%dx%d, which is empty", d.channels, d.height, d.width)
	case d.width > largestPicture/d.height || d.channels > mostChannels:
		return fmt.Errorf("its shape %dx%dx%d is larger than the %d pixels and %d channels allowed", d.channels, d.height, d.width, largestPicture, mostChannels)
	}
	n := int64(d.channels) * int64(d.height) * int64(d.width)
	switch {
	case d.size > 0 && d.size != n:
		return fmt.Errorf("it has %d bytes, and its shape %dx%dx%d needs %d", d.size, d.channels, d.height, d.width, n)
	case d.size == 0 && d.floats != n:
		return fmt.Errorf("it has %d numbers, and its shape %dx%dx%d needs %d", d.floats, d.channels, d.height, d.width, n)
	}
	return nil
}

// isPicture reports whether a record is a picture, and not channels of any range.
func (d *datum) isPicture() bool {
	return d.encoded || d.size > 0 && (d.channels == 1 || d.channels == 3)
}

// openDatum opens a record that is in memory.
func (d *decoder) openDatum() error {
	head, err := readDatum(int64(len(d.file)), func(at, n int64) ([]byte, error) { return d.file[at : at+n], nil })
	switch {
	case err != nil:
		return err
	case head.encoded: // the index has where the picture is
		return errDatum
	case d.stack.want == 0 && !head.isPicture(): // the index has pictures alone
		return errChanged
	}
	d.datum, d.h, d.w = head, head.height, head.width
	d.bytes = 4 * head.floats
	return nil
}

// place is where channel c of the sample is among those stored.
func (d *decoder) place(c int) int {
	if d.datum.channels == 3 && d.caffe.bgr() {
		return 2 - c
	}
	return c
}

// decodeDatum makes planes of a record that is a picture. They lie in the file.
func (d *decoder) decodeDatum(ctx context.Context, p *picture) error {
	pix, n := d.file[d.datum.at:], d.h*d.w
	p.space = grey
	if d.datum.channels == 3 {
		p.space = rgb
	}
	for c := range d.datum.channels {
		at := d.place(c) * n
		p.planes[c] = whole(pix[at:at+n], d.w, d.h, d.w)
	}
	return ctx.Err()
}

// decodeNumbers makes planes of a record that is a stack.
func (d *decoder) decodeNumbers(ctx context.Context, p *picture) error {
	n := d.h * d.w
	if d.datum.size > 0 {
		for c := range p.stack {
			at := d.datum.at + int64(d.place(c)*n)
			p.stack[c] = whole(d.file[at:at+int64(n)], d.w, d.h, d.w)
		}
		return ctx.Err()
	}
	values := d.stack.values[:0]
	for b := d.file; len(b) > 0; {
		number, kind, m := protowire.ConsumeTag(b)
		size := protowire.ConsumeFieldValue(number, kind, b[max(m, 0):])
		if m < 0 || size < 0 {
			return errDatum
		}
		field := b[m : m+size]
		b = b[m+size:]
		if number != datumFloats {
			continue
		}
		if kind == protowire.BytesType {
			field, _ = protowire.ConsumeBytes(field)
		}
		for ; len(field) >= 4; field = field[4:] {
			v := math.Float32frombits(binary.LittleEndian.Uint32(field))
			if v-v != 0 { // NaN or infinite
				i := len(values)
				return fmt.Errorf("the value %v in channel %d, row %d, column %d is not finite", v, i/n, i%n/d.w, i%d.w)
			}
			values = append(values, v)
		}
	}
	d.stack.values = values
	if len(values) != n*len(p.stack) {
		return errDatum
	}
	for c := range p.stack {
		at := d.place(c) * n
		p.stack[c] = plane{values: values[at : at+n], stride: d.w, w: d.w, h: d.h, sx: 1, sy: 1}
	}
	return ctx.Err()
}
