package graph

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/hubel-go/hubel/device"
)

// Summary is a table of a network's layers, with the shapes of one sample,
// the parameters and the operations of one sample's forward pass, and the
// memory of a plan for the given options.
func (n *Network) Summary(t device.Traits, o PlanOptions) (string, error) {
	plan, err := n.Plan(t, o)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "layer\ttype\toutput\tparameters\tMFLOPs\t")
	for _, in := range n.Inputs {
		fmt.Fprintf(w, "%s\tinput\t%s\t\t\t\n", in.Name, shapeString(in.Shape))
	}
	var params, flops int64
	for i, spec := range plan.Specs {
		sample := spec.FLOPs / int64(o.Batch) // they grow with the batch
		var count int64
		for _, p := range spec.Params {
			if _, shared := n.Nodes[i].Share[p.Name]; !shared {
				count += int64(device.Elements(p.Shape))
			}
		}
		params += count
		flops += sample
		var shapes []string
		for _, out := range spec.Out {
			shapes = append(shapes, shapeString(out.Shape[1:]))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.2f\t\n", n.Nodes[i].Name, n.Nodes[i].Layer.Type(), strings.Join(shapes, " "),
			thousands(count), float64(sample)/1e6)
	}
	fmt.Fprintf(w, "total\t\t\t%s\t%.2f\t\n", thousands(params), float64(flops)/1e6)
	w.Flush()
	m := plan.Memory()
	fmt.Fprintf(&b, "\nmemory to %v at batch %d: %s\n", o.Mode, o.Batch, MiB(m.Total()))
	fmt.Fprintf(&b, "  activations %s (%s if nothing were shared), weights %s, gradients %s, optimiser %s\n",
		MiB(m.Activations), MiB(plan.Unshared), MiB(m.Weights), MiB(m.Gradients), MiB(m.Optimiser))
	if steps, share := plan.Recomputed(); steps > 0 {
		fmt.Fprintf(&b, "  recomputed: %d forward steps run again, %.1f %% more operations\n", steps, 100*share)
	}
	return b.String(), nil
}

// maxBatch is where LargestBatch stops looking.
const maxBatch = 1 << 20

// LargestBatch is the largest batch whose plan fits into the given bytes: 0 if
// not even one sample fits, at most 2^20. The batch and the limit of memory in o
// are ignored: nothing is recomputed.
func (n *Network) LargestBatch(t device.Traits, o PlanOptions, bytes int64) (int, error) {
	fits := func(batch int) (bool, error) {
		o.Batch, o.Memory = batch, 0
		p, err := n.Plan(t, o)
		if err != nil {
			return false, err
		}
		return p.Memory().Total() <= bytes, nil
	}
	good, bad := 0, 1
	for good < maxBatch { // double, then halve the interval
		ok, err := fits(bad)
		if err != nil {
			return 0, err
		}
		if !ok {
			break
		}
		good, bad = bad, 2*bad
	}
	for bad-good > 1 && good < maxBatch {
		middle := (good + bad) / 2
		ok, err := fits(middle)
		if err != nil {
			return 0, err
		}
		if ok {
			good = middle
		} else {
			bad = middle
		}
	}
	return good, nil
}

// shapeString writes a shape as 20x24x24; an empty one is a scalar.
func shapeString(shape []int) string {
	if len(shape) == 0 {
		return "scalar"
	}
	parts := make([]string, len(shape))
	for i, d := range shape {
		parts[i] = fmt.Sprint(d)
	}
	return strings.Join(parts, "x")
}

// thousands writes 60965224 as 60,965,224, and nothing for 0.
func thousands(n int64) string {
	if n == 0 {
		return ""
	}
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
