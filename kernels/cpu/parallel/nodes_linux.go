package parallel

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// sysNodes is where Linux lists the NUMA nodes.
const sysNodes = "/sys/devices/system/node"

// nodes are the processors of each NUMA node, of those that the process may run on; nil if
// one node has enough for the workers, or if Linux does not tell.
func nodes(root string, workers int) []unix.CPUSet {
	var allowed unix.CPUSet
	if unix.SchedGetaffinity(0, &allowed) != nil {
		return nil
	}
	lists, err := filepath.Glob(filepath.Join(root, "node[0-9]*", "cpulist"))
	if err != nil {
		return nil
	}
	var found []unix.CPUSet
	for _, path := range lists {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		set := cpuList(string(b), &allowed)
		switch n := set.Count(); {
		case n >= workers:
			return nil
		case n > 0:
			found = append(found, set)
		}
	}
	return found
}

// cpuList reads a list of processors as Linux writes it, such as "0-7,64-71", and keeps
// those that are allowed.
func cpuList(text string, allowed *unix.CPUSet) (set unix.CPUSet) {
	for part := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.ParseUint(from, 10, 16)
		last, err2 := strconv.ParseUint(to, 10, 16)
		if err1 != nil || err2 != nil {
			continue
		}
		for cpu := first; cpu <= last; cpu++ {
			if allowed.IsSet(int(cpu)) {
				set.Set(int(cpu))
			}
		}
	}
	return set
}

// stay keeps the calling goroutine on the processors of one node, as long as it lives: memory
// that it writes first is that node's, and its items are the same in every task. Nodes get
// workers in turn of their numbers.
func stay(nodes []unix.CPUSet, worker, workers int) {
	if len(nodes) == 0 {
		return
	}
	runtime.LockOSThread() // the thread ends with the goroutine
	_ = unix.SchedSetaffinity(0, &nodes[worker*len(nodes)/workers])
}
