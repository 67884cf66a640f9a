package parallel

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A machine is made up of files as Linux has them. Processors that are not allowed, and nodes
// without any, do not count.
func TestNodes(t *testing.T) {
	var allowed unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &allowed))
	var first, second = -1, -1
	for cpu := range 1024 {
		switch {
		case !allowed.IsSet(cpu):
		case first < 0:
			first = cpu
		case second < 0:
			second = cpu
		}
	}
	if second < 0 {
		t.Skip("one processor makes no two nodes")
	}
	root := t.TempDir()
	write := func(n int, list string) {
		dir := filepath.Join(root, fmt.Sprintf("node%d", n))
		require.NoError(t, os.MkdirAll(dir, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "cpulist"), []byte(list), 0o644))
	}
	require.Empty(t, nodes(root, 4), "no node")
	write(0, fmt.Sprintf("%d\n", first))
	require.Empty(t, nodes(root, 4), "one node")
	write(1, fmt.Sprintf("%d-%d,1023\n", second, second))
	write(2, "1000-1001\n") // not allowed
	write(3, "\n")          // memory alone
	require.Empty(t, nodes(root, 1), "one worker, which one node has a processor for")
	got := nodes(root, 4)
	require.Len(t, got, 2)
	require.True(t, got[0].IsSet(first) && got[1].IsSet(second))
	require.Equal(t, 2, got[0].Count()+got[1].Count())

	both := got[0]
	both.Set(second)
	for _, c := range []struct {
		nodes []node
		want  []int // the node of each worker
	}{
		{got, []int{0, 0, 1, 1}},
		{got, []int{0, 0, 1}},
		{[]node{both, got[1]}, []int{0, 0, 0, 0, 1, 1}}, // two processors and one
		{[]node{got[0], both}, []int{0, 1, 1}},
	} {
		for worker, want := range c.want {
			done := make(chan unix.CPUSet)
			go func() {
				stay(c.nodes, worker, len(c.want))
				var set unix.CPUSet
				_ = unix.SchedGetaffinity(0, &set)
				done <- set
				runtime.Goexit()
			}()
			require.Equal(t, c.nodes[want], <-done, "worker %d of %d", worker, len(c.want))
		}
	}

	p := newPool(4, got) // whose workers stay
	defer p.Close()
	c := &count{items: make([]int32, 100), busy: make([]atomic.Int32, 4)}
	for range 200 {
		p.Acquire()
		p.Run(c, len(c.items))
		p.Release()
	}
	for i, n := range c.items {
		require.EqualValues(t, 200, n, "item %d", i)
	}
	require.Zero(t, c.clashes.Load())
	var after unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &after))
	require.Equal(t, allowed, after, "other goroutines stay free")
}

func TestCPUList(t *testing.T) {
	var all unix.CPUSet
	for cpu := range 200 {
		all.Set(cpu)
	}
	set := cpuList("0-3,8,64-65\n", &all)
	require.Equal(t, 7, set.Count())
	for _, cpu := range []int{0, 1, 2, 3, 8, 64, 65} {
		require.True(t, set.IsSet(cpu), cpu)
	}
	for _, text := range []string{"", "\n", "a-b", "7-3", "-", "70000-80000", "300-310"} {
		set := cpuList(text, &all)
		require.Zero(t, set.Count(), text)
	}
}
