package lmdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/internal/printable"
)

// walk is one way through all pages of a tree.
type walk struct {
	d     *DB
	each  func(Entry) error
	left  uint64 // pages that may still come: each is used once
	count uint64 // keys so far
	last  []byte // the last key
}

// Each calls each with every entry, in the order of the keys. It ends with the first error, of
// the file or of each.
func (d *DB) Each(each func(e Entry) error) error {
	if d.root == noPage {
		return nil
	}
	w := &walk{d: d, each: each, left: uint64(d.size / d.page)}
	if err := w.page(d.root, d.depth); err != nil {
		return d.fail(err)
	}
	if w.count != d.entries {
		return d.fail(fmt.Errorf("there are %d keys in place of %d: the file is damaged", w.count, d.entries))
	}
	return nil
}

// node is a part of a page.
type node struct {
	begin, end  int    // in the page, with the head of 8 bytes
	low, middle uint16 // of the size of the value, or with flags the number of a page
	flags       uint16
	key         []byte
}

// page goes through a page and all below it, so many levels with its own.
func (w *walk) page(number uint64, levels int) error {
	if levels == 0 {
		return fmt.Errorf("page %d lies below the %d levels of the tree: the file is damaged", number, w.d.depth)
	}
	if w.left == 0 {
		return fmt.Errorf("page %d: a page comes twice in the tree: the file is damaged", number)
	}
	w.left--
	if number > uint64(w.d.size/w.d.page) {
		return fmt.Errorf("page %d lies beyond the file's end at byte %d: the file is truncated or damaged", number, w.d.size)
	}
	b := make([]byte, w.d.page)
	if err := w.d.readAt(b, int64(number)*w.d.page); err != nil {
		return err
	}
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("page %d: %s: the file is damaged", number, fmt.Sprintf(format, args...))
	}
	if n := binary.LittleEndian.Uint64(b); n != number {
		return wrong("it calls itself page %d", n)
	}
	flags := binary.LittleEndian.Uint16(b[10:])
	kind := flags & (pageBranch | pageLeaf | pageOverflow | pageMeta)
	if want := uint16(pageLeaf); levels == 1 && kind != want || levels > 1 && kind != pageBranch {
		return wrong("its flags are %#x, %d levels above the lowest", flags, levels-1)
	}
	nodes, err := nodesOf(b)
	if err != nil {
		return wrong("%v", err)
	}
	for _, n := range nodes {
		if kind == pageBranch {
			child := uint64(n.low) | uint64(n.middle)<<16 | uint64(n.flags)<<32
			if err := w.page(child, levels-1); err != nil {
				return err
			}
			continue
		}
		if err := w.leaf(b, number, n); err != nil {
			return err
		}
	}
	return nil
}

// nodesOf are the nodes of a page, which may not overlap.
func nodesOf(b []byte) ([]node, error) {
	lower, upper := int(binary.LittleEndian.Uint16(b[12:])), int(binary.LittleEndian.Uint16(b[14:]))
	if lower < headBytes || lower > upper || upper > len(b) || lower%2 != 0 {
		return nil, fmt.Errorf("its room is from byte %d to %d", lower, upper)
	}
	nodes := make([]node, (lower-headBytes)/2)
	leaf := binary.LittleEndian.Uint16(b[10:])&pageLeaf != 0
	for i := range nodes {
		at := int(binary.LittleEndian.Uint16(b[headBytes+2*i:]))
		if at < upper || at > len(b)-8 {
			return nil, fmt.Errorf("its node %d begins at byte %d", i, at)
		}
		n := node{begin: at, low: binary.LittleEndian.Uint16(b[at:]), middle: binary.LittleEndian.Uint16(b[at+2:]), flags: binary.LittleEndian.Uint16(b[at+4:])}
		end := at + 8 + int(binary.LittleEndian.Uint16(b[at+6:]))
		if end <= len(b) {
			n.key = b[at+8 : end]
		}
		if leaf && n.flags&nodeBig != 0 {
			end += 8
		} else if leaf {
			end += int(n.low) | int(n.middle)<<16
		}
		if end > len(b) {
			return nil, fmt.Errorf("its node %d goes beyond its end", i)
		}
		n.end = end
		nodes[i] = n
	}
	order := slices.Clone(nodes)
	slices.SortFunc(order, func(x, y node) int { return x.begin - y.begin })
	for i := 1; i < len(order); i++ {
		if order[i].begin < order[i-1].end {
			return nil, errors.New("two of its nodes overlap")
		}
	}
	return nodes, nil
}

// leaf is an entry: node i of a page.
func (w *walk) leaf(b []byte, number uint64, n node) error {
	e := Entry{Key: n.key, Length: int64(n.low) | int64(n.middle)<<16}
	what := func(format string, args ...any) error {
		return fmt.Errorf("page %d: key %s: %s", number, printable.Name(string(n.key)), fmt.Sprintf(format, args...))
	}
	switch {
	case n.flags&nodeDatabase != 0:
		return what("it is a database of its own within the file, which is not read: copy its keys into the main database of another file")
	case n.flags&nodeSeveral != 0:
		return what("it has several values, which is not read")
	case n.flags&nodeBig != 0:
		first := binary.LittleEndian.Uint64(b[n.end-8:])
		if first > uint64(w.d.size/w.d.page) {
			return what("its value is in page %d, beyond the file's end at byte %d: the file is truncated or damaged", first, w.d.size)
		}
		e.At = int64(first)*w.d.page + headBytes
		var head [headBytes]byte
		if err := w.d.readAt(head[:], e.At-headBytes); err != nil {
			return what("%v", err)
		}
		pages := int64(binary.LittleEndian.Uint32(head[12:]))
		if binary.LittleEndian.Uint64(head[:]) != first || binary.LittleEndian.Uint16(head[10:])&pageOverflow == 0 || e.Length > pages*w.d.page-headBytes {
			return what("page %d does not hold a value of %d bytes: the file is damaged", first, e.Length)
		}
		if e.Length > w.d.size-e.At {
			return what("its value of %d bytes goes beyond the file's end at byte %d: the file is truncated or damaged", e.Length, w.d.size)
		}
	default:
		e.At = int64(number)*w.d.page + int64(n.end) - e.Length
	}
	if order, known := w.d.compare(w.last, n.key); known && w.count > 0 && order >= 0 {
		return what("it is not behind the key before it: the file is damaged")
	}
	w.last = n.key
	w.count++
	return w.each(e)
}
