package parallel

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// node is the processors of a NUMA node.
type node = unix.CPUSet

// sysNodes is where Linux lists the NUMA nodes.
const sysNodes = "/sys/devices/system/node"

// nodes are the processors of each NUMA node, of those that the process may run on; nil if
// there is one node, if one has enough for the workers, or if Linux does not tell.
func nodes(root string, workers int) []node {
	var allowed unix.CPUSet
	if unix.SchedGetaffinity(0, &allowed) != nil {
		return nil
	}
	lists, err := filepath.Glob(filepath.Join(root, "node[0-9]*", "cpulist"))
	if err != nil {
		return nil
	}
	var found []node
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
	if len(found) == 1 { // to stay on it is no choice
		return nil
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
// workers in turn of their numbers, as many as they have processors for.
func stay(nodes []node, worker, workers int) {
	if len(nodes) == 0 {
		return
	}
	all := 0
	for i := range nodes {
		all += nodes[i].Count()
	}
	processor := worker * all / workers // as the nodes count them, one after the other
	mine := 0
	for processor >= nodes[mine].Count() {
		processor -= nodes[mine].Count()
		mine++
	}
	runtime.LockOSThread() // the thread ends with the goroutine
	_ = unix.SchedSetaffinity(0, &nodes[mine])
}
