package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/plain"
	"github.com/hubel-go/hubel/layers"
)

// Version is the newest version of the JSON. Version 2 has Node.Share; a network
// without it is written as version 1, which older programs read too. A file without
// a version is older; rolesByName reads its meaning from names.
const Version = 2

// networkJSON is a Network as it stands in a file.
type networkJSON struct {
	Version json.RawMessage `json:"version,omitempty"`
	Name    string          `json:"name"`
	Inputs  []Input         `json:"inputs"`
	Nodes   []Node          `json:"layers"`
	Outputs []string        `json:"outputs"`
	Metrics []Metric        `json:"metrics,omitempty"`
}

// MarshalJSON writes the network in the oldest version that has all of it.
func (n Network) MarshalJSON() ([]byte, error) {
	version := int64(1)
	if slices.ContainsFunc(n.Nodes, shares) {
		version = 2
	}
	return json.Marshal(networkJSON{
		Version: strconv.AppendInt(nil, version, 10),
		Name:    n.Name, Inputs: n.Inputs, Nodes: n.Nodes, Outputs: n.Outputs, Metrics: n.Metrics,
	})
}

// UnmarshalJSON reads a network of any Version up to this one. An unknown key
// is an error.
func (n *Network) UnmarshalJSON(b []byte) error {
	version, err := versionOf(b)
	if err != nil {
		return err
	}
	var j networkJSON
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return err
	}
	*n = Network{Name: j.Name, Inputs: j.Inputs, Nodes: j.Nodes, Outputs: j.Outputs, Metrics: j.Metrics}
	if i := slices.IndexFunc(n.Nodes, shares); i >= 0 && version < 2 {
		return fmt.Errorf("%s shares weights, which version 2 of the format has: put \"version\": 2 before the network's name", n.Nodes[i].Name)
	}
	if version == 0 {
		return n.rolesByName()
	}
	return nil
}

// shares reports whether a node uses weights of others.
func shares(n Node) bool { return len(n.Share) > 0 }

// versionOf reads the version, and nothing else: a newer one may have other keys.
// It is 0 where there is none.
func versionOf(b []byte) (int, error) {
	var j struct {
		Version json.RawMessage `json:"version"`
	}
	if err := json.Unmarshal(b, &j); err != nil || j.Version == nil {
		return 0, err
	}
	version, err := strconv.Atoi(string(j.Version))
	switch {
	case err != nil || version < 1:
		return 0, fmt.Errorf("the version must be a whole number of at least 1, not %.20s; this hubel reads up to version %d", j.Version, Version)
	case version > Version:
		return 0, &NewerError{version}
	}
	return version, nil
}

// NewerError is the error of a network whose JSON has a newer Version.
type NewerError struct{ Version int }

// Error names both versions.
func (e *NewerError) Error() string {
	return fmt.Sprintf("version %d is newer than this hubel, which reads up to version %d: a newer hubel opens it", e.Version, Version)
}

// rolesByName gives a network from a file without a version, which has no roles and
// no metrics, those that names had then: float32 "data" are images, int32 "label"
// without a shape is a label, and float32 "target" of one dimension are targets. Layers
// "accuracy" and "top5" are metrics, in this order.
func (n *Network) rolesByName() error {
	if len(n.Metrics) > 0 || slices.ContainsFunc(n.Inputs, func(in Input) bool { return in.Role != "" }) {
		return fmt.Errorf("%v has roles or metrics, but no version: put \"version\": 1 before its name", n)
	}
	for i := range n.Inputs {
		in := &n.Inputs[i]
		switch {
		case in.Name == "data" && in.DType == device.Float32:
			in.Role = RoleImage
		case in.Name == "label" && in.DType == device.Int32 && len(in.Shape) == 0:
			in.Role = RoleLabel
		case in.Name == "target" && in.DType == device.Float32 && len(in.Shape) == 1:
			in.Role = RoleTarget
		}
	}
	for _, name := range []string{"accuracy", "top5"} {
		if slices.ContainsFunc(n.Nodes, func(node Node) bool { return node.Name == name }) {
			n.Metrics = append(n.Metrics, Metric{Value: name, Better: Higher})
		}
	}
	return nil
}

// nodeJSON is a Node as it stands in a file.
type nodeJSON struct {
	Name    string          `json:"name"`
	Type    string          `json:"type"`
	In      []string        `json:"in"`
	Options json.RawMessage `json:"options,omitempty"`

	Share map[string]string `json:"share,omitempty"`
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
	return json.Marshal(nodeJSON{Name: n.Name, Type: n.Layer.Type(), In: n.In, Options: options, Share: n.Share})
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
	*n = Node{Name: j.Name, Layer: l, In: j.In, Share: j.Share}
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
