package main

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var example = Link{Name: "example", Latency: 1e-5, Bandwidth: 1e9, Add: 4e9, Duplex: 1}

// ring goes round step by step: n-1 times a part is sent and added, n-1 times it is sent.
func ring(l Link, n int, bytes float64) (sum, spread float64) {
	part := bytes / float64(n)
	for range n - 1 {
		sum += l.Latency + part/l.Bandwidth + part/l.Add
	}
	for range n - 1 {
		spread += l.Latency + part/l.Bandwidth
	}
	return sum, spread
}

// down is the time until a node of a binomial tree, who has what is to be sent, and all
// below it have it. A node sends to its largest branch first.
func down(l Link, depth int, bytes float64) float64 {
	last := 0.
	for sent := 1; sent <= depth; sent++ {
		last = max(last, float64(sent)*bytes/l.Bandwidth+down(l, depth-sent, bytes))
	}
	return last
}

func TestOperations(t *testing.T) {
	for _, n := range []int{2, 3, 4, 7, 8, 64, 1024} {
		for _, bytes := range []float64{1e8, 1e9} {
			sum, spread := ring(example, n, bytes)
			require.InEpsilon(t, sum+spread, example.AllReduce(Ring, n, bytes).Alone, 1e-9)
			require.InEpsilon(t, sum, example.ReduceScatter(Ring, n, bytes).Alone, 1e-9)
			require.InEpsilon(t, spread, example.AllGather(Ring, n, bytes).Alone, 1e-9)
		}
	}
	for depth, n := range map[int][]int{1: {2}, 2: {3, 4}, 3: {5, 8}, 10: {1024}} {
		for _, n := range n {
			const bytes = 1e6
			up := float64(depth) * (example.Latency + bytes/example.Bandwidth + bytes/example.Add)
			want := up + float64(depth)*example.Latency + down(example, depth, bytes)
			require.InEpsilon(t, want, example.AllReduce(Tree, n, bytes).Alone, 1e-9, "%d ranks", n)
		}
	}
	// Few bytes go in a few rounds, however many ranks there are.
	require.InEpsilon(t, 10*example.Latency, example.AllReduce(Ring, 1024, 4).Alone, 1e-3)
	for _, e := range []Engine{Ring, Tree} {
		require.Zero(t, example.AllReduce(e, 1, 1e6))
		require.Zero(t, example.ReduceScatter(e, 1, 1e6))
		require.Zero(t, example.AllGather(e, 1, 1e6))
		for n := 2; n < 100; n++ {
			for _, c := range []Cost{example.AllReduce(e, n, 1e6), example.ReduceScatter(e, n, 1e6), example.AllGather(e, n, 1e6)} {
				require.LessOrEqual(t, c.Busy, c.Alone)
				require.Positive(t, c.Busy)
			}
		}
	}
}

// What is finished before the end of backward hides; what is finished last does not.
func TestOverlap(t *testing.T) {
	run := Run{Ranks: 4, Compute: 1, Link: example, Buckets: []Bucket{{1e8, 0.4}, {1e8, 0.5}}}
	one := example.AllReduce(Ring, 4, 1e8)
	s := run.Time()
	require.InDelta(t, 1, s.Seconds, 1e-12)
	require.InDelta(t, 2*one.Alone, s.Exchange, 1e-12)
	require.Zero(t, s.Waited)

	run.Buckets = []Bucket{{1e8, 1}}
	require.InDelta(t, 1+one.Alone, run.Time().Seconds, 1e-12)
	require.InDelta(t, one.Alone, run.Time().Waited, 1e-12)
	require.InDelta(t, 1/(1+one.Alone), run.Time().Efficiency(run), 1e-12)

	// The second waits until the first has left the link.
	run.Buckets = []Bucket{{1e9, 0.9}, {1e8, 1}}
	big := example.AllReduce(Ring, 4, 1e9)
	require.InDelta(t, 0.9+big.Busy+one.Alone, run.Time().Seconds, 1e-12)

	// The update comes after everything; its parts take a share of the time, and then weights
	// are gathered.
	run.Buckets, run.Update = []Bucket{{1e8, 1}}, 0.2
	require.InDelta(t, 0.8+one.Alone+0.2, run.Time().Seconds, 1e-12)
	run.Sharded = true
	want := 0.8 + example.ReduceScatter(Ring, 4, 1e8).Alone + example.AllGather(Ring, 4, 1e8).Alone + 0.2/4
	require.InDelta(t, want, run.Time().Seconds, 1e-12)

	// One rank exchanges nothing.
	run.Ranks, run.CPU = 1, 1
	require.InDelta(t, 1, run.Time().Seconds, 1e-12)
	require.Zero(t, run.Time().Exchange)
}

// More ranks never take less time for a step, and a better link never more.
func TestOrder(t *testing.T) {
	n, err := network("alexnet")
	require.NoError(t, err)
	for _, e := range []Engine{Ring, Tree} {
		for _, sharded := range []bool{false, true} {
			for _, ranks := range rankCounts {
				last := math.Inf(1)
				for _, l := range links[:3] {
					run := Run{Buckets: n.Buckets, Compute: 0.1, Ranks: ranks, Link: l, Engine: e, Sharded: sharded}
					s := run.Time()
					require.LessOrEqual(t, s.Seconds, last)
					require.GreaterOrEqual(t, s.Seconds, run.Compute*(1-1e-12))
					last = s.Seconds
					run.Ranks *= 2
					require.GreaterOrEqual(t, run.Time().Seconds, s.Seconds*(1-1e-12))
				}
			}
		}
	}
}

func TestNetworks(t *testing.T) {
	for name, bytes := range map[string]float64{"alexnet": 4 * 60965224, "resnet50": 4 * 25557032, "lenet": 4 * 431080} {
		n, err := network(name)
		require.NoError(t, err)
		require.Equal(t, bytes, n.Bytes)
		sum, last := 0., 0.
		for i, b := range n.Buckets {
			require.Greater(t, b.Ready, last, "%s: bucket %d", name, i)
			sum, last = sum+b.Bytes, b.Ready
			if i < len(n.Buckets)-1 {
				require.GreaterOrEqual(t, b.Bytes, float64(bucketBytes))
			}
		}
		require.Equal(t, bytes, sum)
		require.InDelta(t, 1, last, 1e-12)
	}
	_, err := network("none")
	require.ErrorContains(t, err, "unknown")
}

// Terms that measurements were made of are found again, and the model then says what was
// measured.
func TestComparison(t *testing.T) {
	var all []Measured
	n, err := network("lenet")
	require.NoError(t, err)
	example := Link{Latency: 1e-5, Bandwidth: 1e9, Add: math.Inf(1), Duplex: 1.5}
	for _, ranks := range []int{2, 4} {
		all = append(all, Measured{Link: alone, Ranks: ranks, What: training, Network: "lenet", Batch: 8, Seconds: 0.01})
		for _, bytes := range sizes {
			x := float64(bytes)
			all = append(all,
				Measured{Link: "slow", Ranks: ranks, What: allReduce, Bytes: bytes, Seconds: example.AllReduce(Tree, ranks, x).Alone},
				Measured{Link: "slow", Ranks: ranks, What: reduceScatter, Bytes: bytes, Seconds: example.ReduceScatter(Tree, ranks, x).Alone},
				Measured{Link: "slow", Ranks: ranks, What: allGather, Bytes: bytes, Seconds: example.AllGather(Tree, ranks, x).Alone})
		}
		run := Run{Buckets: n.Buckets, Ranks: ranks, Compute: 0.01, Link: example, Engine: Tree}
		all = append(all, Measured{Link: "slow", Ranks: ranks, What: training, Network: "lenet", Batch: 8, Seconds: run.Time().Seconds})
	}
	text, err := comparison(all)
	require.NoError(t, err)
	require.Contains(t, text, "| slow | 10 µs | 1,000 MB/s | x 1.50 |")
	lines := 0
	for line := range strings.SplitSeq(text, "\n") {
		if strings.Contains(line, " %") {
			lines++
			require.Regexp(t, `[+-]0 %\)? \|$`, line)
		}
	}
	require.Equal(t, 2*(3*len(sizes)+1), lines)

	_, err = comparison(append(all, all[1]))
	require.ErrorContains(t, err, "measured twice")
	_, err = comparison(all[2:])
	require.ErrorContains(t, err, "there is no")
	for bad, message := range map[string]string{
		`{"link":"a","ranks":2,"seconds":1} {`: "measurement 2",
		`{"link":"a","ranks":0,"seconds":1}`:   "cannot be",
		`{"link":"a","ranks":2,"seconds":-1}`:  "cannot be",
	} {
		_, err := readMeasured(strings.NewReader(bad))
		require.ErrorContains(t, err, message)
	}
}

// The tables of the document are those of this model and of measured.json.
func TestDocument(t *testing.T) {
	require.NoError(t, run("../../docs/scaling.md", "measured.json", true))
}

func TestNumber(t *testing.T) {
	for want, x := range map[string]float64{"0.123": 0.12345, "1.23": 1.2345, "123": 123.4, "1,230": 1234, "12,300": 12345, "1,230,000": 1234567} {
		require.Equal(t, want, number(x))
	}
	require.Equal(t, []string{"1.5 s", "2.5 ms", "3.5 µs"}, []string{duration(1.5), duration(2.5e-3), duration(3.5e-6)})
}
