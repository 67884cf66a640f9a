package caffe

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/hubel-go/hubel/formats/hdf5"
)

// deepestGroup bounds how deep groups lie in one another: those of layers whose names have
// slashes.
const deepestGroup = 10

// rootOfHDF5 is the root group of a file.
func rootOfHDF5(b []byte) (*hdf5.Group, error) {
	f, err := hdf5.Read("HDF5", bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	return f.Root()
}

// weightsOfHDF5 reads a caffemodel in HDF5: a tensor /data/LAYER/I for each blob I. It has no
// network.
func weightsOfHDF5(b []byte) (*network, error) {
	root, err := rootOfHDF5(b)
	if err != nil {
		return nil, err
	}
	data, err := root.Group("data")
	if err != nil {
		return nil, err
	}
	n := &network{version: 2, binary: true, strange: errors.New("weights in HDF5 have no network: give the network's prototxt too")}
	r := hdf5Reader{net: n, left: 64<<20 + 20*int64(len(b))}
	return n, r.group(data, "", 0)
}

// hdf5Reader reads groups. Names may lead to one group or tensor many times, so that what is read
// is counted.
type hdf5Reader struct {
	net    *network
	groups int
	left   int64 // bytes of tensors: far more than a file of weights, compressed, makes
}

// group reads the layers of a group. One that has tensors is a layer.
func (r *hdf5Reader) group(g *hdf5.Group, name string, depth int) error {
	if r.groups++; depth > deepestGroup || r.groups > mostLayers {
		return fmt.Errorf("%q: groups lie more than %d deep in one another, or there are more than %d", name, deepestGroup, mostLayers)
	}
	l, tensors := &layer{name: name}, 0
	for _, child := range g.Names() {
		node, err := g.Node(child)
		if err != nil {
			return err
		}
		switch node := node.(type) {
		case *hdf5.Group:
			inner := child
			if name != "" {
				inner = name + "/" + child
			}
			if err := r.group(node, inner, depth+1); err != nil {
				return err
			}
		case *hdf5.Dataset:
			if _, err := strconv.ParseUint(child, 10, 16); err != nil {
				return fmt.Errorf("%q: the tensor %q has no number for a name", name, child)
			}
			tensors++
		}
	}
	for i := range tensors {
		set, err := g.Dataset(strconv.Itoa(i))
		if err != nil {
			return err
		}
		size := int64(set.Type.Size)
		for _, d := range set.Shape {
			if d > 0 && size > r.left/int64(d) {
				return fmt.Errorf("%q: there are more tensors than a file of this size holds", name)
			}
			size *= int64(d)
		}
		r.left -= size
		m, err := blobOfHDF5(set)
		if err != nil {
			return err
		}
		l.blobs = append(l.blobs, m)
	}
	if len(l.blobs) > 0 {
		r.net.layers = append(r.net.layers, l)
	}
	return nil
}

// blobOfHDF5 is a tensor as a BlobProto.
func blobOfHDF5(set *hdf5.Dataset) (*message, error) {
	a, err := set.Read()
	if err != nil {
		return nil, err
	}
	values, err := a.Float32s()
	if err != nil {
		return nil, err
	}
	of := schema()["BlobProto"]
	m, shape := &message{of: of}, &message{of: schema()["BlobShape"]}
	for _, d := range a.Shape {
		shape.add(field{fieldDefinition: shape.of.byName["dim"], integer: int64(d)})
	}
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = appendFloat32(raw, v)
	}
	m.add(field{fieldDefinition: of.byName["shape"], message: shape})
	m.add(field{fieldDefinition: of.byName["data"], raw: raw})
	return m, nil
}

// stateOfHDF5 reads a solverstate in HDF5: /iter, /current_step, /learned_net, and a tensor
// /history/I for each parameter.
func stateOfHDF5(b []byte) (*State, error) {
	root, err := rootOfHDF5(b)
	if err != nil {
		return nil, err
	}
	s := &State{}
	for name, to := range map[string]*int{"iter": &s.Iteration, "current_step": &s.Step} {
		set, err := root.Dataset(name)
		if err != nil {
			return nil, err
		}
		a, err := set.Read()
		if err != nil {
			return nil, err
		}
		v, err := a.Int64s()
		if err != nil {
			return nil, err
		}
		if len(v) != 1 || v[0] < 0 || v[0] > math.MaxInt32 {
			return nil, fmt.Errorf("/%s is not one number of at least 0", name)
		}
		*to = int(v[0])
	}
	history, err := root.Group("history")
	if err != nil {
		return nil, err
	}
	r := hdf5Reader{net: &network{}, left: 64<<20 + 20*int64(len(b))}
	if err := r.group(history, "history", 0); err != nil {
		return nil, err
	}
	for _, l := range r.net.layers {
		if l.name != "history" {
			return nil, fmt.Errorf("/history has the group %q, and no tensors alone", l.name)
		}
		for _, m := range l.blobs {
			x, err := newBlob(m)
			if err != nil {
				return nil, err
			}
			s.History = append(s.History, &Array{x.dims, x.values})
		}
	}
	return s, nil
}
