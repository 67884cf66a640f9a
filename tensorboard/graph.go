package tensorboard

// Node is a node of a graph.
type Node struct {
	Name string
	Op   string // its type, such as "conv"

	// In are the values that it reads: "conv1" is the first output of the node
	// conv1, "conv1:1" the second.
	In []string

	Shapes  [][]int // of its outputs; TensorBoard writes them on the edges
	Options string  // shown with the node; may be empty
}

// Graph appends a graph. TensorBoard shows the last one of a run.
func (w *Writer) Graph(nodes []Node) error {
	var g []byte
	for _, n := range nodes {
		g = message(g, graphNode, n.encode())
	}
	return w.event(0, message(nil, eventGraphDef, g))
}

func (n *Node) encode() []byte {
	b := text(nil, nodeName, n.Name)
	b = text(b, nodeOp, n.Op)
	for _, in := range n.In {
		b = text(b, nodeInput, in)
	}
	if n.Options != "" {
		b = entry(b, nodeAttribute, "options", text(nil, attrBytes, n.Options))
	}
	var shapes []byte
	for _, s := range n.Shapes {
		shapes = message(shapes, listShape, shape(s))
	}
	return entry(b, nodeAttribute, "_output_shapes", message(nil, attrList, shapes))
}

// shape is a TensorShapeProto.
func shape(dims []int) (b []byte) {
	for _, d := range dims {
		b = message(b, shapeDim, number(nil, dimSize, int64(d)))
	}
	return b
}
