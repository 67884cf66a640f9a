package main

import (
	"math"
	"math/bits"
)

// Link is what joins each rank to the others. All ranks send and receive at the same
// time, and what is between the links is never full.
type Link struct {
	Name      string
	Latency   float64 // seconds from the start of a message to its first byte, with the work of the software
	Bandwidth float64 // bytes per second in each direction
	Add       float64 // bytes per second of gradients that a rank adds to others
	Duplex    float64 // how many times longer bytes take if others go the other way: 1 to 2
	Largest   int     // number of ranks that it can join; 0 for any
}

// Engine is how ranks add gradients.
type Engine int

const (
	// Ring sends n-1 parts round in a ring, twice (Patarasuk and Yuan 2009), or, of few
	// bytes, doubles the distance of partners log2(n) times, whichever takes less. It is
	// what NCCL does, and MPICH.
	Ring Engine = iota

	// Tree adds in a binomial tree, and then sends the sum from its root: Open MPI 4.1's
	// MPI_Iallreduce in place. Its MPI_Ireduce_scatter adds in the same tree and cuts the
	// sum at the root.
	Tree
)

// Cost is what an operation takes.
type Cost struct {
	Alone float64 // seconds, with nothing beside it
	Busy  float64 // seconds of the busiest link or adder: the time between two of many
}

// rounds is the depth of a binomial tree of n ranks.
func rounds(n int) float64 { return float64(bits.Len(uint(n - 1))) }

// AllReduce is the cost of the sum of so many bytes of each of n ranks.
func (l Link) AllReduce(e Engine, n int, bytes float64) Cost {
	if n < 2 {
		return Cost{}
	}
	send, add := bytes/l.Bandwidth, bytes/l.Add
	depth := rounds(n)
	if e == Tree {
		return Cost{Alone: depth*(l.Latency+send+add) + depth*(l.Latency+send), Busy: depth * max(l.Duplex*send, add)}
	}
	others := float64(n - 1)
	bytesOfRing := others / float64(n) * (2*l.Duplex*send + add)
	ring := Cost{Alone: 2*others*l.Latency + bytesOfRing, Busy: bytesOfRing}
	both := depth * (l.Duplex*send + add)
	if double := depth*l.Latency + both; double < ring.Alone {
		return Cost{Alone: double, Busy: both}
	}
	return ring
}

// ReduceScatter is the cost of the same sum, of which each rank gets one part.
func (l Link) ReduceScatter(e Engine, n int, bytes float64) Cost {
	if n < 2 {
		return Cost{}
	}
	send, add := bytes/l.Bandwidth, bytes/l.Add
	others := float64(n - 1)
	share := others / float64(n)
	if e == Tree {
		depth := rounds(n)
		return Cost{Alone: depth*(l.Latency+send+add) + l.Latency + share*send, Busy: max(depth, l.Duplex*(depth+share)/2) * max(send, add)}
	}
	part := share * (l.Duplex*send + add)
	return Cost{Alone: others*l.Latency + part, Busy: part}
}

// AllGather is the cost of giving every rank the parts of all, so many bytes together.
func (l Link) AllGather(e Engine, n int, bytes float64) Cost {
	if n < 2 {
		return Cost{}
	}
	others := float64(n - 1)
	send := others / float64(n) * l.Duplex * bytes / l.Bandwidth
	if e == Tree { // Open MPI sends to all others at once
		return Cost{Alone: l.Latency + send, Busy: send}
	}
	return Cost{Alone: others*l.Latency + send, Busy: send}
}

// Bucket is gradients that are exchanged at once.
type Bucket struct {
	Bytes float64
	Ready float64 // share of the computing of a step, forward and backward, after which they are there
}

// Run is a network that several ranks train.
type Run struct {
	Buckets []Bucket // in the order of backward
	Ranks   int
	Compute float64 // seconds of a rank's step without exchange
	Update  float64 // seconds of Compute that the optimiser takes, after all exchange
	Link    Link
	Engine  Engine
	Sharded bool // the optimiser's state (ZeRO-1, Rajbhandari et al. 2020)

	// CPU is the seconds of a core that a byte takes which a rank sends or receives, where
	// the rank has no other core than the one that computes. 0 where others do that.
	CPU float64
}

// Step is the time of an update.
type Step struct {
	Seconds  float64
	Exchange float64 // sum of the operations, each alone on the links
	Waited   float64 // seconds in which nothing is computed
}

// Efficiency is the share of linear scaling.
func (s Step) Efficiency(r Run) float64 { return r.Compute / s.Seconds }

// Time predicts an update. Buckets are exchanged in their order while backward goes on; an
// operation begins when the one before has left the busiest link.
func (r Run) Time() Step {
	bytes := 0.
	for _, b := range r.Buckets {
		bytes += b.Bytes
	}
	passes := r.Compute - r.Update
	update := r.Update
	if r.Ranks > 1 {
		passes += r.CPU * r.traffic(bytes)
	}
	var s Step
	free, end := 0., passes
	for _, b := range r.Buckets {
		c := r.Link.AllReduce(r.Engine, r.Ranks, b.Bytes)
		if r.Sharded {
			c = r.Link.ReduceScatter(r.Engine, r.Ranks, b.Bytes)
		}
		start := max(b.Ready*passes, free)
		free, end = start+c.Busy, max(end, start+c.Alone)
		s.Exchange += c.Alone
	}
	if r.Sharded && r.Ranks > 1 {
		update /= float64(r.Ranks)
		free, gathered := 0., 0.
		for _, b := range r.Buckets {
			c := r.Link.AllGather(r.Engine, r.Ranks, b.Bytes)
			gathered = free + c.Alone
			free += c.Busy
			s.Exchange += c.Alone
		}
		end += gathered
	}
	s.Seconds = end + update
	s.Waited = math.Max(0, end-passes)
	return s
}

// traffic is the bytes that a rank sends and receives for so many bytes of gradients, on
// average over ranks.
func (r Run) traffic(bytes float64) float64 {
	// Ring or tree, in both kinds of update n-1 copies go up and n-1 down.
	return 4 * float64(r.Ranks-1) / float64(r.Ranks) * bytes
}
