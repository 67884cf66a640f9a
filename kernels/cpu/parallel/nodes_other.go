//go:build !linux

package parallel

// node is the processors of a NUMA node.
type node struct{}

// sysNodes is where Linux lists the NUMA nodes.
const sysNodes = ""

// nodes are the processors of each NUMA node: here nobody tells.
func nodes(string, int) []node { return nil }

// stay keeps the calling goroutine on one node.
func stay([]node, int, int) {}
