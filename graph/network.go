// Package graph describes networks and runs them. It checks the shapes of a
// network, plans its memory and the order of its steps, and executes the plan
// on a device.
package graph

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// Network is a directed acyclic graph of named layers. It is plain data, built
// with Input and Add or read from JSON. Check and Plan check it; Input and Add
// do not.
type Network struct {
	Name   string
	Inputs []Input
	Nodes  []Node

	// Outputs are the values that inference is for, such as "prob".
	Outputs []string

	// Metrics are the values that tests report beside the loss, such as an
	// accuracy. The first one decides which weights are the best; among equal ones,
	// and without a metric, the lowest loss does.
	Metrics []Metric
}

// String is what errors call the network: "network lenet", or "the network" if it has
// no name.
func (n *Network) String() string {
	if n.Name == "" {
		return "the network"
	}
	return "network " + n.Name
}

// Input is a value that the caller uploads.
type Input struct {
	Name  string       `json:"name"`
	DType device.DType `json:"dtype"`
	Shape []int        `json:"shape"` // of one sample: without the batch

	// Role says what the input takes from the samples of a data set. It is empty
	// for an input that no data set fills.
	Role Role `json:"role,omitempty"`
}

// Node is a named layer. Its first output is a value with the node's name, the
// others are "name:1", "name:2" and so on. In names values that are before it
// in the network.
type Node struct {
	Name  string
	Layer layers.Layer
	In    []string
}

// Input adds an input without a role and returns its name. The shape is that of
// one sample. Image, Label and Target add those that a data set fills.
func (n *Network) Input(name string, dtype device.DType, shape ...int) string {
	n.Inputs = append(n.Inputs, Input{Name: name, DType: dtype, Shape: shape})
	return name
}

// Add adds a layer that reads the named values and returns the name of its
// first output.
func (n *Network) Add(name string, l layers.Layer, in ...string) string {
	n.Nodes = append(n.Nodes, Node{Name: name, Layer: l, In: in})
	return name
}

// The bounds of a network, which may come in a file from anywhere. The deepest
// published ones have about ten thousand layers.
const (
	maxName   = 255      // bytes
	maxValues = 131_072  // inputs and outputs of layers; a layer has at least one
	maxJSON   = 16 << 20 // bytes

	maxMetrics = 1000
)

// Check says what is wrong with the names and the order of the network, if
// anything. Shapes are checked by Plan.
func (n *Network) Check() error {
	if len(n.Name) > maxName {
		return fmt.Errorf("the name of network %.20s… has %d bytes; at most %d are allowed", n.Name, len(n.Name), maxName)
	}
	if values := len(n.Inputs) + len(n.Nodes); values > maxValues {
		return n.tooManyValues(values)
	}
	known := map[string]bool{}
	define := func(what, name string) error {
		switch {
		case name == "":
			return fmt.Errorf("%v: %s has no name", n, what)
		case len(name) > maxName:
			return fmt.Errorf("%v: the name %.20q… of %s has %d bytes; at most %d are allowed", n, name, what, len(name), maxName)
		case strings.ContainsFunc(name, func(r rune) bool { return r == ':' || r == '/' || r == ' ' || !unicode.IsPrint(r) }):
			return fmt.Errorf("%v: the name %q holds a colon, slash, space or control character", n, name)
		case known[name]:
			return fmt.Errorf("%v: the name %q is taken twice", n, name)
		}
		known[name] = true
		return nil
	}
	for i, in := range n.Inputs {
		if err := define(fmt.Sprintf("input %d", i), in.Name); err != nil {
			return err
		}
		for _, d := range in.Shape {
			if d < 1 {
				return fmt.Errorf("%v: input %s has the shape %v; each dimension must be at least 1", n, in.Name, in.Shape)
			}
		}
	}
	for i, node := range n.Nodes {
		if err := define(fmt.Sprintf("layer %d", i), node.Name); err != nil {
			return err
		}
		if node.Layer == nil {
			return fmt.Errorf("%v: layer %s has no type", n, node.Name)
		}
		if len(node.In) == 0 {
			return fmt.Errorf("%v: layer %s has no inputs", n, node.Name)
		}
	}
	if len(n.Nodes) == 0 {
		return fmt.Errorf("%v: there are no layers", n)
	}
	return n.checkRoles()
}

func (n *Network) tooManyValues(values int) error {
	return fmt.Errorf("%v has %d values, inputs and outputs of layers; at most %d are allowed", n, values, maxValues)
}

// ValueName is the name of a node's output i.
func ValueName(node string, i int) string {
	if i == 0 {
		return node
	}
	return fmt.Sprintf("%s:%d", node, i)
}
