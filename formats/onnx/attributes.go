package onnx

import (
	"errors"
	"fmt"
	"slices"
)

// attribute finds an attribute, nil if there is none.
func (n *node) attribute(name string, kind int64) (*attributeProto, error) {
	n.used[name] = true
	for i := range n.attributes {
		if a := &n.attributes[i]; a.name == name {
			if a.kind != 0 && a.kind != kind {
				return nil, fmt.Errorf("the attribute %q is of the wrong kind", name)
			}
			return a, nil
		}
	}
	return nil, nil
}

// ignore names attributes that change nothing in what is read.
func (n *node) ignore(names ...string) {
	for _, name := range names {
		n.used[name] = true
	}
}

// has reports whether there is an attribute.
func (n *node) has(name string) bool {
	return slices.ContainsFunc(n.attributes, func(a attributeProto) bool { return a.name == name })
}

// values of attributes, or what they are if they are left out.
type attributes struct {
	n     *node
	opset int // of the file
	err   error
}

func (n *node) read() *attributes { return &attributes{n: n, opset: n.opset} }

func (a *attributes) integer(name string, otherwise int) int {
	p, err := a.n.attribute(name, kindInt)
	a.err = errors.Join(a.err, err)
	if p == nil || err != nil {
		return otherwise
	}
	return int(p.i)
}

func (a *attributes) float(name string, otherwise float32) float32 {
	p, err := a.n.attribute(name, kindFloat)
	a.err = errors.Join(a.err, err)
	if p == nil || err != nil {
		return otherwise
	}
	return p.f
}

func (a *attributes) text(name, otherwise string) string {
	p, err := a.n.attribute(name, kindString)
	a.err = errors.Join(a.err, err)
	if p == nil || err != nil {
		return otherwise
	}
	return string(p.s)
}

// integers is nil if the attribute is left out.
func (a *attributes) integers(name string) []int {
	p, err := a.n.attribute(name, kindInts)
	a.err = errors.Join(a.err, err)
	if p == nil || err != nil {
		return nil
	}
	list := make([]int, len(p.ints))
	for i, x := range p.ints {
		list[i] = int(x)
	}
	return list
}

// each checks that a list of numbers has one for each axis, or is left out: then it is
// filled.
func (a *attributes) each(name string, axes, otherwise int) []int {
	list := a.integers(name)
	if list == nil {
		list = slices.Repeat([]int{otherwise}, axes)
	}
	if len(list) != axes && a.err == nil {
		a.err = fmt.Errorf("%s %v has %d numbers, want %d", name, list, len(list), axes)
	}
	for _, x := range list {
		if (x < 0 || x > 1<<31-1) && a.err == nil {
			a.err = fmt.Errorf("%s %v is out of range", name, list)
		}
	}
	return list
}

// input is input i, nil if it is left out.
func (n *node) input(i int) *value {
	if i < 0 || i >= len(n.in) {
		return nil
	}
	return n.in[i]
}

// data is input 0, which is computed.
func (n *node) data() (*value, error) { return n.computed(0) }

// computed is an input that is computed, of floats.
func (n *node) computed(i int) (*value, error) {
	v := n.input(i)
	switch {
	case v == nil:
		return nil, fmt.Errorf("its input %d is missing", i)
	case v.constant != nil:
		return nil, fmt.Errorf("its input %d, %q, is a constant, where a layer reads what is computed", i, n.nodeProto.in[i])
	}
	return v, nil
}

// numbers is an input that is computed, of floats: integers would be rounded otherwise.
func (n *node) numbers(i int) (*value, error) {
	v, err := n.computed(i)
	if err == nil && !v.kind.floating() {
		err = fmt.Errorf("its input %d, %q, is of %v, and layers compute in float", i, n.nodeProto.in[i], v.kind)
	}
	return v, err
}

// weight is an input that is a constant of floats, nil if it is left out.
func (n *node) weight(i int, name string) (*constant, error) {
	v := n.input(i)
	switch {
	case v == nil:
		return nil, nil
	case v.constant == nil:
		return nil, fmt.Errorf("its %s, %q, is computed; a layer's is a constant", name, n.nodeProto.in[i])
	case v.integral():
		return nil, fmt.Errorf("its %s is of %v, want float", name, v.kind)
	}
	return v.constant, nil
}

// integersAt is an input that is a list of constant integers, nil if it is left out.
func (n *node) integersAt(i int, name string) ([]int, error) {
	v := n.input(i)
	switch {
	case v == nil:
		return nil, nil
	case v.constant == nil || !v.integral() || !v.known():
		return nil, fmt.Errorf("its %s must be constant integers", name)
	}
	list := make([]int, len(v.ints))
	for k, x := range v.ints {
		list[k] = int(x)
	}
	return list, nil
}

// listOr is a list that older opsets have as an attribute and newer ones as an input.
func (n *node) listOr(a *attributes, name string, input int) ([]int, error) {
	if list := a.integers(name); list != nil || a.err != nil {
		return list, a.err
	}
	return n.integersAt(input, name)
}

// axisOf makes an axis count from the front.
func axisOf(axis, rank int) (int, error) {
	if axis < -rank || axis >= rank {
		return 0, fmt.Errorf("axis %d is none of the %d", axis, rank)
	}
	if axis < 0 {
		axis += rank
	}
	return axis, nil
}

// axesOf makes axes count from the front, each there once.
func axesOf(axes []int, rank int) ([]int, error) {
	list := make([]int, len(axes))
	for i, axis := range axes {
		var err error
		if list[i], err = axisOf(axis, rank); err != nil {
			return nil, err
		}
		if slices.Contains(list[:i], list[i]) {
			return nil, fmt.Errorf("axes %v have one twice", axes)
		}
	}
	return list, nil
}
