package layers_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/graph/gradcheck"
	"github.com/hubel-go/hubel/layers"
)

// TestGradients holds the gradient of every parameter and input of every
// layer against central differences in float64.
func TestGradients(t *testing.T) {
	for _, e := range examples() {
		if e.layer.Type() == "accuracy" {
			continue // has no gradient
		}
		t.Run(e.name, func(t *testing.T) {
			n := gradcheck.Layer(e.layer, e.inputs...)
			o := gradcheck.Options{Classes: 5, Elements: 16}
			require.NoError(t, gradcheck.Check(n, o))

			var want []string
			spec := plan(t, e, true)
			for _, p := range spec.Params {
				want = append(want, "layer."+p.Name)
			}
			for i, in := range e.inputs {
				if !slices.Contains(spec.NoGradient, i) {
					want = append(want, in.Name)
				}
			}
			names, err := gradcheck.Names(n, o)
			require.NoError(t, err)
			for _, name := range want {
				require.Contains(t, names, name)
			}

			// A later reader of the inputs writes their gradients first, so
			// that the layer has to add to them.
			for i, in := range e.inputs {
				if !slices.Contains(spec.NoGradient, i) {
					target := n.Input(fmt.Sprintf("again%d", i), device.Float32, in.Shape...)
					n.Add(fmt.Sprintf("later%d", i), &layers.L2Loss{}, in.Name, target)
				}
			}
			require.NoError(t, gradcheck.Check(n, o))
		})
	}
}

// TestGradientsOfEpilogue fuses an activation into the layer before it.
func TestGradientsOfEpilogue(t *testing.T) {
	for _, l := range []layers.Layer{
		&layers.Conv{Filters: 3, Kernel: layers.Square(2)}, &layers.Dense{Out: 3},
		&layers.Deconv{Conv: layers.Conv{Filters: 3, Kernel: layers.Square(2), Pad: layers.Around(1)}},
		&layers.Deconv{Conv: layers.Conv{Filters: 3, Kernel: layers.Square(2), Pad: layers.Around(1), NoBias: true}},
	} {
		for _, op := range device.UnaryOps() {
			t.Run(l.Type()+" "+op.String(), func(t *testing.T) {
				n := &graph.Network{Name: "fused"}
				x := n.Input("x", device.Float32, 2, 2, 2)
				y := n.Add("layer", l, x)
				y = n.Add("activation", &layers.Unary{Op: op}, y)
				y = n.Add("flatten", &layers.Flatten{}, y)
				n.Add("loss", &layers.L2Loss{}, y, n.Input("target", device.Float32, 3))
				p, err := n.Plan(reference.New().Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 2})
				require.NoError(t, err)
				require.True(t, slices.ContainsFunc(p.Steps, func(s graph.Step) bool { return s.Fused }))
				require.NoError(t, gradcheck.Check(n, gradcheck.Options{}))
			})
		}
	}
}

// TestGradientsOfOneInputTwice has layers read a value more than once: their
// gradients of it add up.
func TestGradientsOfOneInputTwice(t *testing.T) {
	for name, l := range map[string]layers.Layer{"add": &layers.Add{}, "concat": &layers.Concat{}} {
		t.Run(name, func(t *testing.T) {
			n := &graph.Network{Name: name}
			x := n.Input("x", device.Float32, 3, 2, 2)
			scaled := n.Add("scaled", &layers.Scale{Factor: 2}, x)
			y := n.Add("y", l, scaled, x, scaled, scaled)
			channels := 3
			if name == "concat" {
				channels = 12
			}
			n.Add("loss", &layers.L2Loss{}, y, n.Input("target", device.Float32, channels, 2, 2))
			require.NoError(t, gradcheck.Check(n, gradcheck.Options{}))
		})
	}
}

// TestGradientsOfFrozen freezes one or both parameters.
func TestGradientsOfFrozen(t *testing.T) {
	image := graph.Input{Name: "x", DType: device.Float32, Shape: []int{2, 3, 3}}
	for _, l := range []layers.Layer{
		&layers.Conv{Filters: 3, Kernel: layers.Square(2)}, &layers.Dense{Out: 3}, &layers.Deconv{Conv: layers.Conv{Filters: 3, Kernel: layers.Square(2)}},
	} {
		for frozen, want := range map[string][]string{
			"layer.weight": {"layer.bias", "x"},
			"layer.bias":   {"layer.weight", "x"},
			"layer":        {"x"},
		} {
			t.Run(l.Type()+" "+frozen, func(t *testing.T) {
				n, o := gradcheck.Layer(l, image), gradcheck.Options{Frozen: []string{frozen}}
				require.NoError(t, gradcheck.Check(n, o))
				names, err := gradcheck.Names(n, o)
				require.NoError(t, err)
				for _, name := range want {
					require.Contains(t, names, name)
				}
				require.NotContains(t, names, frozen)
			})
		}
	}
}
