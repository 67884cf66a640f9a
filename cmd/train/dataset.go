package main

import (
	"fmt"
	"strconv"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
)

// preprocess is what is done to the pixels of every data set: Caffe's scale
// for MNIST, 0.00390625.
var preprocess = data.Preprocess{Scale: 1.0 / 256}

const synthetic = "synthetic"

// The numbers of synthetic images unless -data says others.
const (
	syntheticTrain = 6000
	syntheticTest  = 1000
)

// openData opens a data set. A synthetic one has the images and the classes
// or targets that the network wants, always the same ones; files have their
// own.
func (o *options) openData(spec string, n *graph.Network) (train, test data.Dataset, err error) {
	if dataName(spec) != synthetic {
		return data.Open(spec, data.OpenOptions{})
	}
	s := data.SyntheticOptions{Train: syntheticTrain, Test: syntheticTest}
	if _, sizes, given := strings.Cut(spec, ":"); given {
		a, b, _ := strings.Cut(sizes, ",")
		var errTrain, errTest error
		s.Train, errTrain = strconv.Atoi(a)
		s.Test, errTest = strconv.Atoi(b)
		if errTrain != nil || errTest != nil || s.Train < 1 || s.Test < 1 {
			return nil, nil, fmt.Errorf("-data %s: synthetic takes two numbers of images, to train and to test, such as synthetic:600,100", spec)
		}
	}
	var shape []int
	if shape, s.Classes, err = o.inputs(n); err != nil {
		return nil, nil, err
	}
	s.Shape = tensor.Shape(shape)
	for _, in := range n.Inputs {
		if in.Name == "target" {
			s.Targets = device.Elements(in.Shape)
		}
	}
	return data.Open(synthetic, data.OpenOptions{Synthetic: s})
}

// dataName is the name of a data set without its folder or its sizes.
func dataName(spec string) string {
	name, _, _ := strings.Cut(spec, ":")
	return name
}
