// Package graph turns a network into something that runs: it checks shapes,
// plans memory and order, and executes the plan on a device.
package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/plain"
	"github.com/hubel-go/hubel/layers"
)

// Network is a directed acyclic graph of named layers: plain data, to be
// built with Input and Add or read from JSON. Building checks nothing; Check
// and Plan do.
type Network struct {
	Name   string  `json:"name"`
	Inputs []Input `json:"inputs"`
	Nodes  []Node  `json:"layers"`

	// Outputs are the values that inference is for, such as "prob".
	Outputs []string `json:"outputs"`
}

// Input is a value that the caller uploads.
type Input struct {
	Name  string       `json:"name"`
	DType device.DType `json:"dtype"`
	Shape []int        `json:"shape"` // of one sample: without the batch
}

// Node is a named layer. Its first output is a value of the node's name, the
// others are "name:1", "name:2" and so on. Inputs name values that stand
// before it in the network.
type Node struct {
	Name  string
	Layer layers.Layer
	In    []string
}

// Input adds an input and returns its name. The shape is that of one sample;
// a label has none.
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
			return fmt.Errorf("network %s: %s has no name", n.Name, what)
		case len(name) > maxName:
			return fmt.Errorf("network %s: the name %.20q… of %s has %d bytes; at most %d are allowed", n.Name, name, what, len(name), maxName)
		case strings.ContainsFunc(name, func(r rune) bool { return r == ':' || r == '/' || r == ' ' || !unicode.IsPrint(r) }):
			return fmt.Errorf("network %s: the name %q holds a colon, slash, space or control character", n.Name, name)
		case known[name]:
			return fmt.Errorf("network %s: the name %q is taken twice", n.Name, name)
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
				return fmt.Errorf("network %s: input %s has the shape %v; each dimension must be at least 1", n.Name, in.Name, in.Shape)
			}
		}
	}
	for i, node := range n.Nodes {
		if err := define(fmt.Sprintf("layer %d", i), node.Name); err != nil {
			return err
		}
		if node.Layer == nil {
			return fmt.Errorf("network %s: layer %s has no type", n.Name, node.Name)
		}
		if len(node.In) == 0 {
			return fmt.Errorf("network %s: layer %s has no inputs", n.Name, node.Name)
		}
	}
	if len(n.Nodes) == 0 {
		return fmt.Errorf("network %s: there are no layers", n.Name)
	}
	return nil
}

func (n *Network) tooManyValues(values int) error {
	return fmt.Errorf("network %s has %d values, inputs and outputs of layers; at most %d are allowed", n.Name, values, maxValues)
}

// nodeJSON is a Node as it stands in a file.
type nodeJSON struct {
	Name    string          `json:"name"`
	Type    string          `json:"type"`
	In      []string        `json:"in"`
	Options json.RawMessage `json:"options,omitempty"`
}

// MarshalJSON writes the layer's type and options beside its name.
func (n Node) MarshalJSON() ([]byte, error) {
	options, err := json.Marshal(n.Layer)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.Name, err)
	}
	if string(options) == "{}" {
		options = nil
	}
	return json.Marshal(nodeJSON{Name: n.Name, Type: n.Layer.Type(), In: n.In, Options: options})
}

// UnmarshalJSON makes the layer through the registry of layer types.
func (n *Node) UnmarshalJSON(b []byte) error {
	var j nodeJSON
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return err
	}
	l, err := layers.FromJSON(j.Type, j.Options)
	if err != nil {
		return fmt.Errorf("%s: %w", j.Name, err)
	}
	*n = Node{Name: j.Name, Layer: l, In: j.In}
	return nil
}

// ReadJSON reads a network, of at most 16 MiB, and checks its names.
func ReadJSON(r io.Reader) (*Network, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxJSON+1))
	if err != nil {
		return nil, fmt.Errorf("network in JSON: %w", err)
	}
	if len(text) > maxJSON {
		return nil, fmt.Errorf("network in JSON: it has more than %d MiB", maxJSON>>20)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	n := new(Network)
	if err := d.Decode(n); err != nil {
		return nil, fmt.Errorf("network in JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("network in JSON: something follows the network")
	}
	if err := n.Check(); err != nil {
		return nil, err
	}
	return n, nil
}

// ReadFile reads a network from a JSON file, which may begin with a byte-order mark.
func ReadFile(path string) (*Network, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n, err := ReadJSON(plain.Text(f))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return n, nil
}

// valueName is the name of a node's output i.
func valueName(node string, i int) string {
	if i == 0 {
		return node
	}
	return fmt.Sprintf("%s:%d", node, i)
}
