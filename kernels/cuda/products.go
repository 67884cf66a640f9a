package cuda

import "math"

// arithmetic is how matrix products and convolutions multiply.
type arithmetic uint8

const (
	float32s    arithmetic = iota
	tf32                   // tensor cores, which round what they multiply
	arithmetics            // their number
)

// suffix is the end of the names of its files, and a part of its kernels'.
func (a arithmetic) suffix() string { return [...]string{"", "_tf32"}[a] }

// rate is the multiply-adds that it makes in the time of one in float32: an
// A100's, whose tensor cores gain the most.
func (a arithmetic) rate() float64 { return [...]float64{1, 8}[a] }

// tile is a variant of a product: what a block makes, and what that costs.
type tile struct {
	m, n       int
	threads    int
	resident   int     // blocks that share a multiprocessor
	efficiency float64 // of the multiply-adds that the main loop could make: fewer
	// where more other instructions and more reads of memory go with them
	vector bool // moves four floats at a time
}

// cut is how a product is cut into blocks: tiles, and parts of the sum.
type cut struct {
	tile
	variant      int // place of the tile in its table
	down, across int // tiles
	splits       int // parts of the sum
	length       int // of a part, a multiple of a slice's
}

const (
	sliceDepth = 8 // of the sum in shared memory at a time

	// The shortest sum that is worth a block of its own: filling the pipeline
	// and storing the tile cost as much as blockStart of depth in float32.
	leastRange = 64
	blockStart = 24

	// mostParts is how many parts a sum is cut into at most.
	mostParts = 128

	// warpsInFlight is how many warps hide half of the latency of a
	// multiprocessor.
	warpsInFlight = 4

	// Another kernel that adds partial sums costs the time of a launch, and of
	// reading and writing memory, in multiply-adds of a multiprocessor: 3 µs,
	// and 4 bytes, where 64 lanes make 1.4 G a second each and memory moves
	// 11 GB/s for each multiprocessor.
	launchCost = 270_000
	wordCost   = 32
)

// cutProduct chooses the variant and the number of parts for batch products
// [m,n] with sums over depth: the cheapest in a model in which blocks are dealt
// to multiprocessors evenly, and those with few warps wait for memory. It
// depends on the shape, the arithmetic and the number of multiprocessors alone.
func cutProduct(on traits, tiles []tile, m, n, depth, batch int, vector bool) cut {
	sms, rate := on.sms, on.arithmetic.rate()
	var best cut
	bestCost := math.Inf(1)
	for i, t := range tiles {
		if t.vector && !vector {
			continue
		}
		c := cut{tile: t, variant: i, down: ceil(m, t.m), across: ceil(n, t.n)}
		whole := c.down * c.across * batch
		try := func(splits int) {
			c.length = ceil(ceil(depth, splits), sliceDepth) * sliceDepth
			c.splits = ceil(max(depth, 1), max(c.length, 1)) // a sum of nothing is one part
			perSM := ceil(whole*c.splits, sms)
			warps := float64(min(perSM, t.resident) * t.threads / 32)
			cost := float64(perSM) * float64(t.m*t.n) * (float64(c.length)/rate + blockStart) / t.efficiency *
				(warps + warpsInFlight) / warps
			if c.splits > 1 {
				cost += launchCost + wordCost*float64(m)*float64(n)*float64(batch)*float64(2*c.splits+1)/float64(sms)
			}
			if cost < bestCost {
				best, bestCost = c, cost
			}
		}
		try(1)
		// The most parts that give a multiprocessor so many blocks. With more than
		// two rounds of resident blocks there is enough to do.
		for perSM := ceil(whole, sms); perSM <= 2*t.resident; perSM++ {
			if splits := min(perSM*sms/whole, depth/leastRange, mostParts); splits > 1 {
				try(splits)
			}
		}
	}
	return best
}

// scratch is the bytes of the partial sums of an output of elements floats.
func (c cut) scratch(elements int) int64 {
	if c.splits == 1 {
		return 0
	}
	return 4 * int64(c.splits) * int64(elements)
}

// largestScratch is the largest scratch of batches from 1 to n: a smaller one may be cut
// into more parts.
func largestScratch(n int, scratch func(n int) int64) int64 {
	var bytes int64
	for i := range n {
		bytes = max(bytes, scratch(i+1))
	}
	return bytes
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

func ceil(a, b int) int { return (a + b - 1) / b }
