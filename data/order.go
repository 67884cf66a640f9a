package data

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/hubel-go/hubel/device"
)

// permute fills dst with a permutation of its indexes that depends on the
// seed, the epoch and the length alone.
func permute(dst []int32, seed uint64, epoch int) {
	for i := range dst {
		dst[i] = int32(i)
	}
	shuffle(dst, device.Random{Seed: seed, Stream: orderStream, Iteration: uint32(epoch)})
}

// shuffle changes the order of dst (Fisher and Yates 1938, as in Knuth's
// algorithm P).
func shuffle(dst []int32, r device.Random) {
	var draws [4]uint32 // two for each step
	for i := len(dst) - 1; i > 0; i-- {
		if i%2 == 1 || i == len(dst)-1 {
			draws = r.Block(0, i/2)
		}
		pair := draws[2*(i%2):]
		// A number below i+1 from 64 bits: the bias is under 2^-32.
		j, _ := bits.Mul64(uint64(pair[0])<<32|uint64(pair[1]), uint64(i)+1)
		dst[i], dst[j] = dst[j], dst[i]
	}
}

// balance makes orders in which all classes are equally often.
type balance struct {
	members  []int32   // [N], samples by class, each class in the set's order
	shuffled []int32   // [N], the same in the order of an epoch
	classes  [][]int32 // parts of shuffled, of the classes that have samples
}

// newBalance needs a set that knows its labels.
func newBalance(d Dataset) (*balance, error) {
	set, ok := d.(Labelled)
	if !ok {
		return nil, errors.New("classes cannot be balanced: the data set does not know the labels of its samples before it reads them")
	}
	of := make([][]int32, len(d.Classes()))
	for i := range d.Len() {
		label, ok := set.Label(i)
		switch {
		case !ok:
			return nil, errors.New("classes cannot be balanced: the data set does not know the labels of its samples before it reads them")
		case label < 0 || int(label) >= len(of):
			return nil, fmt.Errorf("sample %d: label %d is not one of the %d classes", i, label, len(of))
		}
		of[label] = append(of[label], int32(i))
	}
	b := &balance{members: slices.Concat(of...), shuffled: make([]int32, d.Len())}
	from := 0
	for _, c := range of {
		if len(c) > 0 {
			b.classes = append(b.classes, b.shuffled[from:from+len(c)])
		}
		from += len(c)
	}
	return b, nil
}

// order turns a permutation into the order of an epoch of the same length:
// place k has the class k modulo the classes, before they are permuted, so
// that the places of two classes differ by one at most. Which classes have one
// more goes round from epoch to epoch. A class takes its samples in turn, in an
// order drawn for the epoch, so that they too differ by one at most.
func (b *balance) order(permutation []int32, seed uint64, epoch int) {
	copy(b.shuffled, b.members)
	for c, samples := range b.classes {
		shuffle(samples, device.Random{Seed: seed, Stream: balanceStream, Iteration: uint32(epoch), Sample: uint32(c)})
	}
	n := len(b.classes)
	for k, p := range permutation {
		samples := b.classes[(int(p)+epoch*(len(permutation)%n))%n]
		permutation[k] = samples[int(p)/n%len(samples)]
	}
}
