package bench

import (
	"fmt"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
)

// Product is a matrix product of a layer's pass.
type Product struct {
	Layer, Pass string
	device.GEMM
}

// Products lists the matrix products of a network's convolutions, for one
// image and one group as BLAS would do them, and of its dense layers, for the
// batch: forward and both gradients.
func Products(p *graph.Plan) []Product {
	var products []Product
	for _, s := range p.Steps {
		node := p.Network.Nodes[s.Node]
		if s.Backward {
			continue
		}
		x, y := p.Values[s.In[0]].Shape, p.Values[s.Out[0]].Shape
		var three [3]device.GEMM
		switch w := weight(p, s.Node); node.Layer.Type() {
		case "conv":
			groups, pixels, depth := x[1]/w[1], y[2]*y[3], w[1]*w[2]*w[3]
			filters := w[0] / groups
			three = [3]device.GEMM{
				{M: filters, N: pixels, K: depth},
				{M: depth, N: pixels, K: filters, TransA: true},
				{M: filters, N: depth, K: pixels, TransB: true},
			}
		case "dense":
			samples, out, in := x[0], w[0], w[1]
			three = [3]device.GEMM{
				{M: samples, N: out, K: in, TransB: true},
				{M: samples, N: in, K: out},
				{M: out, N: in, K: samples, TransA: true},
			}
		default:
			continue
		}
		for i, pass := range []string{forward, backwardData, backwardFilter} {
			three[i].Alpha = 1
			products = append(products, Product{node.Name, pass, three[i]})
		}
	}
	return products
}

// shaped lists matrix products by themselves, under their shapes' names.
func shaped(shapes []device.GEMM) []Product {
	products := make([]Product, len(shapes))
	for i, g := range shapes {
		products[i] = Product{Layer: g.String(), Pass: forward, GEMM: g}
	}
	return products
}

// ParseShape reads the shape of a matrix product: NN4096x4096x4096, where M, N
// and K follow a letter each for A and B, T where it is stored transposed.
func ParseShape(text string) (device.GEMM, error) {
	g := device.GEMM{Alpha: 1}
	var a, b rune
	n, err := fmt.Sscanf(text, "%c%c%dx%dx%d", &a, &b, &g.M, &g.N, &g.K)
	g.TransA, g.TransB = a == 'T', b == 'T'
	if err != nil || n != 5 || strings.ReplaceAll(g.String(), " ", "") != text || min(g.M, g.N, g.K) < 1 {
		return device.GEMM{}, fmt.Errorf("%q is not a shape such as NN4096x4096x4096 or NT128x4096x9216", text)
	}
	return g, nil
}

// weight is the shape of a node's weights, nil if it has none.
func weight(p *graph.Plan, node int) tensor.Shape {
	for _, q := range p.ParamsOf(node) {
		if q.Param.Name == "weight" {
			return q.Shape
		}
	}
	return nil
}

// operands are the matrices of a product on a device, filled with uniform.
type operands struct{ c, a, b device.Tensor }

func newOperands(d device.Device, q device.Queue, g device.GEMM) (o operands, err error) {
	for _, m := range []struct {
		t    *device.Tensor
		size int
	}{{&o.c, g.M * g.N}, {&o.a, g.M * g.K}, {&o.b, g.K * g.N}} {
		t := device.Tensor{Shape: tensor.Shape{m.size}}
		if t.Buffer, err = d.Alloc(t.Bytes()); err != nil {
			o.free()
			return operands{}, err
		}
		*m.t = t
		q.Upload(t, tensor.New(tensor.WithShape(m.size), tensor.WithBacking(uniform(m.size))))
	}
	return o, q.Sync()
}

func (o operands) free() {
	for _, t := range []device.Tensor{o.c, o.a, o.b} {
		if !t.IsNil() {
			t.Buffer.Free()
		}
	}
}

// product times a matrix product, and sums up its result.
func (b *bench) product(d device.Device, q device.Queue, g device.GEMM) (samples []float64, sum *Checksum, err error) {
	o, err := newOperands(d, q, g)
	if err != nil {
		return nil, nil, err
	}
	defer o.free()
	var ws device.Buffer
	if bytes := d.Traits().Needs(g).Scratch; bytes > 0 {
		if ws, err = d.Alloc(bytes); err != nil {
			return nil, nil, err
		}
		defer ws.Free()
	}
	samples, err = b.sample(func(times int) error {
		for range times {
			q.GEMM(g, o.c, o.a, o.b, ws)
		}
		return q.Sync()
	})
	if err != nil {
		return nil, nil, err
	}
	if b.device.predicted != nil {
		return samples, nil, nil // the simulator left blocks out
	}
	c := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(g.M*g.N))
	q.Download(c, o.c)
	return samples, checksum(c.Float32s()), q.Sync()
}
