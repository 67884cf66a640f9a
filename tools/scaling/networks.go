package main

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/models"
)

// bucketBytes is as many gradients as solver exchanges at once, at least.
const bucketBytes = 1 << 20

// Network is what the model needs of one.
type Network struct {
	Name    string
	Bytes   float64 // of the gradients
	FLOPs   float64 // of forward and backward, of one image
	Buckets []Bucket
}

// network plans a network, and finds when backward has finished each bucket: after a share
// of the arithmetic.
func network(name string) (n Network, err error) {
	net, err := models.Build(name, models.Options{})
	if err != nil {
		return n, err
	}
	d, err := device.Open("cpu", device.Options{Threads: 1})
	if err != nil {
		return n, err
	}
	defer d.Close()
	p, err := net.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 1})
	if err != nil {
		return n, fmt.Errorf("%s: %w", name, err)
	}
	n.Name = name
	of := map[int]int{} // the bucket of a parameter
	for i, param := range p.Params {
		if param.Grad < 0 {
			continue
		}
		if last := len(n.Buckets) - 1; last < 0 || n.Buckets[last].Bytes >= bucketBytes {
			n.Buckets = append(n.Buckets, Bucket{})
		}
		of[i] = len(n.Buckets) - 1
		bytes := float64(device.Elements(param.Shape)) * float64(device.Float32.Size())
		n.Buckets[of[i]].Bytes += bytes
		n.Bytes += bytes
	}
	for _, s := range p.Steps {
		n.FLOPs += float64(s.FLOPs)
		for _, i := range s.Done {
			if k, ok := of[i]; ok {
				n.Buckets[k].Ready = n.FLOPs // of the last of its parameters
			}
		}
	}
	for k := range n.Buckets {
		n.Buckets[k].Ready /= n.FLOPs
	}
	return n, nil
}
