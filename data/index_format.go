package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// An index file is, with numbers as unsigned varints and texts behind their length:
//
//	magic      8 bytes, "hubelix" and the version of the format
//	checksum   4 bytes, CRC-32C of all that follows, little-endian
//	tars       32 bytes, SHA-256 of the names, sizes and times of the tar files
//	members    32 bytes, SHA-256 of bytes of some members
//	3 parts    0, or 1 and then
//	  part, root   texts
//	  keyed        0 or 1
//	  classes      their number, then texts
//	  skipped      their number, then three texts each: shard, name, reason
//	  files        their number, then of each, in the order of the set:
//	    stored     text: the member's name
//	    name       1 + the bytes of stored before the name in the set; or 0 and a text
//	    shard, label, offset, size
//
// A text is not copied when it is read: names lie in the content of the file.
const (
	indexMagic = "hubelix\x01"
	indexHead  = len(indexMagic) + crc32.Size
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// largestIndex bounds the bytes of an index, of tar files of so many bytes: a member
// takes two blocks of a tar file at least.
func largestIndex(tars int64) int64 { return min(1<<20+tars/2, 1<<32) }

// usualNumbers is the bytes that the numbers of a file take, as a rule.
const usualNumbers = 14

var (
	errIndexMagic    = errors.New("it is no index, or one of another version")
	errIndexChecksum = errors.New("it is damaged: its checksum is another one")
	errIndexContent  = errors.New("it is damaged: its content makes no sense")
)

// encodeIndex makes the content of an index.
func encodeIndex(parts [3]*Files, tars tarStats) ([]byte, error) {
	members, err := sampleMembers(parts)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	room := 0
	for _, p := range parts {
		if p != nil {
			for i := range p.files {
				room += len(p.files[i].stored) + usualNumbers
			}
		}
	}
	b.Grow(room)
	b.WriteString(indexMagic)
	b.Write(make([]byte, crc32.Size))
	b.Write(tars.digest[:])
	b.Write(members[:])
	number := func(n int64) { b.Write(binary.AppendUvarint(b.AvailableBuffer(), uint64(n))) }
	text := func(s string) {
		number(int64(len(s)))
		b.WriteString(s)
	}
	flag := func(set bool) {
		if set {
			number(1)
			return
		}
		number(0)
	}
	for _, p := range parts {
		flag(p != nil)
		if p == nil {
			continue
		}
		text(p.part)
		text(p.root)
		flag(p.keyed)
		number(int64(len(p.classes)))
		for _, c := range p.classes {
			text(c)
		}
		number(int64(len(p.skipped)))
		for _, s := range p.skipped {
			text(s.shard)
			text(s.Name)
			text(s.Reason)
		}
		number(int64(len(p.files)))
		for i := range p.files {
			e := &p.files[i]
			text(e.stored)
			if strings.HasSuffix(e.stored, e.name) {
				number(1 + int64(len(e.stored)-len(e.name)))
			} else {
				number(0)
				text(e.name)
			}
			number(int64(e.shard))
			number(int64(e.label))
			number(e.offset)
			number(e.size)
		}
	}
	content := b.Bytes()
	if n := int64(len(content)); n > largestIndex(tars.total) {
		return nil, fmt.Errorf("its %d bytes are more than the %d allowed", n, largestIndex(tars.total))
	}
	binary.LittleEndian.PutUint32(content[len(indexMagic):], crc32.Checksum(content[indexHead:], castagnoli))
	return content, nil
}

// readIndex reads the parts of the set of f's tar files from an index of them.
func readIndex(path string, f *Files, tars tarStats) (parts [3]*Files, err error) {
	s, err := os.Stat(path)
	if err != nil {
		return parts, err
	}
	if !s.Mode().IsRegular() { // to open a pipe may wait for ever
		return parts, errors.New("it is not a regular file")
	}
	if largest := largestIndex(tars.total); s.Size() > largest {
		return parts, fmt.Errorf("%d bytes are more than the %d allowed", s.Size(), largest)
	}
	r, err := os.Open(path)
	if err != nil {
		return parts, err
	}
	defer r.Close()
	var b strings.Builder
	b.Grow(int(s.Size()))
	if _, err := io.CopyN(&b, r, s.Size()); err != nil {
		return parts, err
	}
	if parts, err = decodeIndex(b.String(), f, tars); err != nil {
		return parts, err
	}
	members, err := sampleMembers(parts)
	if err == nil && string(members[:]) != b.String()[indexHead+len(tars.digest):][:len(members)] {
		err = errOtherTars
	}
	return parts, err
}

// decodeIndex reads the content of an index of these tar files. It takes no more
// memory than a small multiple of the content's.
func decodeIndex(content string, f *Files, tars tarStats) (parts [3]*Files, err error) {
	if !strings.HasPrefix(content, indexMagic) {
		return parts, errIndexMagic
	}
	if len(content) < indexHead+2*len(tars.digest) {
		return parts, errIndexContent
	}
	d := &indexReader{rest: content[indexHead:]}
	sum := content[len(indexMagic):indexHead]
	if binary.LittleEndian.Uint32([]byte(sum)) != checksum(d.rest) {
		return parts, errIndexChecksum
	}
	if d.bytes(len(tars.digest)) != string(tars.digest[:]) {
		return parts, errOtherTars
	}
	d.bytes(len(tars.digest)) // of members, which readIndex compares
	for k := range parts {
		if d.flag() {
			parts[k] = d.part(f, tars)
		}
	}
	if d.wrong || d.rest != "" || parts[0] == nil || parts[0].Len() == 0 {
		return [3]*Files{}, errIndexContent
	}
	return parts, nil
}

// checksum is the CRC-32C of a text, without a copy of it.
func checksum(text string) uint32 {
	var buf [1 << 15]byte
	sum := uint32(0)
	for len(text) > 0 {
		n := copy(buf[:], text)
		sum = crc32.Update(sum, castagnoli, buf[:n])
		text = text[n:]
	}
	return sum
}

// indexReader reads numbers and texts. After something is wrong, they are empty.
type indexReader struct {
	rest  string
	wrong bool
}

func (d *indexReader) fail() {
	d.rest, d.wrong = "", true
}

func (d *indexReader) bytes(n int) string {
	if n > len(d.rest) {
		d.fail()
		return ""
	}
	text := d.rest[:n]
	d.rest = d.rest[n:]
	return text
}

// number reads a number up to a largest one.
func (d *indexReader) number(largest int64) int64 {
	var n uint64
	for i := 0; i < len(d.rest) && i < binary.MaxVarintLen64; i++ {
		c := d.rest[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < utf8.RuneSelf {
			if n > uint64(max(largest, 0)) {
				break
			}
			d.rest = d.rest[i+1:]
			return int64(n)
		}
	}
	d.fail()
	return 0
}

func (d *indexReader) flag() bool { return d.number(1) == 1 }

func (d *indexReader) text() string { return d.bytes(int(d.number(int64(len(d.rest))))) }

// count reads the number of things that follow.
func (d *indexReader) count(smallest int) int {
	return int(d.number(int64(len(d.rest) / smallest)))
}

// The bytes that things take at least: a class one, a skip three, a file six.
const (
	smallestClass = 1
	smallestSkip  = 3
	smallestFile  = 6
)

func (d *indexReader) part(f *Files, tars tarStats) *Files {
	p := &Files{shards: f.shards, tar: true, part: d.text(), root: d.text(), keyed: d.flag()}
	p.classes = make([]string, d.count(smallestClass))
	for i := range p.classes {
		p.classes[i] = d.text()
	}
	if n := d.count(smallestSkip); n > 0 {
		p.skipped = make([]Skip, n)
	}
	for i := range p.skipped {
		p.skipped[i] = Skip{shard: d.text(), Name: d.text(), Reason: d.text()}
	}
	p.files = make([]file, d.count(smallestFile))
	before := ""
	for i := range p.files {
		e := &p.files[i]
		e.stored = d.text()
		if cut := d.number(1 + int64(len(e.stored))); cut > 0 {
			e.name = e.stored[cut-1:]
		} else {
			e.name = d.text()
		}
		e.shard = int32(d.number(int64(len(f.shards)) - 1))
		e.label = int32(d.number(int64(len(p.classes)) - 1))
		if e.offset = d.number(tars.sizes[e.shard]); e.offset < tarBlock {
			d.fail()
		}
		e.size = d.number(min(largestFile, tars.sizes[e.shard]-e.offset))
		e.time = tars.times[e.shard]
		if d.wrong || e.name < before || e.size == 0 || len(p.classes) == 0 {
			d.fail()
			return p
		}
		before = e.name
	}
	return p
}
