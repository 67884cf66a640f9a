package graph

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/hubel-go/hubel/internal/printable"
)

// Memory is the memory of a plan on a device, in bytes.
type Memory struct {
	Activations int64 // the arena: activations, their gradients, scratch
	Weights     int64 // parameters, packed copies, state and constants
	Gradients   int64 // of parameters
	Optimiser   int64 // what the optimiser keeps, such as momentum
}

// String names the parts.
func (m Memory) String() string {
	return fmt.Sprintf("activations %s, weights %s, gradients %s, optimiser %s", MiB(m.Activations), MiB(m.Weights), MiB(m.Gradients), MiB(m.Optimiser))
}

// Total is the sum.
func (m Memory) Total() int64 { return m.Activations + m.Weights + m.Gradients + m.Optimiser }

// Memory is the memory of the plan, with the slabs of the optimiser if it trains.
func (p *Plan) Memory() Memory {
	return Memory{
		Activations: p.Arena,
		Weights:     p.WeightBytes + p.PackedBytes + p.StateBytes + p.ConstantBytes,
		Gradients:   p.GradientBytes,
		Optimiser:   int64(cmp.Or(p.Options.Slabs, 1)) * p.GradientBytes,
	}
}

// MiB writes a size in MiB with one decimal.
func MiB(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

// String prints the steps, then every span of the arena by offset. A diff of
// two plans shows a change of order or of memory.
func (p *Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "plan of %s: %v, batch %d\n", printable.Name(p.Network.Name), p.Options.Mode, p.Options.Batch)
	fmt.Fprintf(&b, "arena %s (%s unshared), weights %s, gradients %s, state %s, packed %s\n\n",
		MiB(p.Arena), MiB(p.Unshared), MiB(p.WeightBytes), MiB(p.GradientBytes), MiB(p.StateBytes), MiB(p.PackedBytes))

	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "step\tlayer\tpass\treads and writes")
	for i, s := range p.Steps {
		pass, detail := "forward", p.names(s.In)+" -> "+p.names(s.Out)
		if s.Backward {
			pass, detail = "backward", p.names(s.DOut)+" -> "+p.names(s.DIn)
			for k, m := range s.Modes {
				if s.DIn[k] >= 0 && m != 0 {
					detail += fmt.Sprintf(" (%v %d)", m, k)
				}
			}
			if s.Adds {
				detail += ", adds to gradients of parameters"
			}
		}
		if s.Again {
			pass = "again"
		}
		if s.Fused {
			detail += ", in the epilogue before"
		}
		if s.Activation.On {
			detail += ", then " + s.Activation.Op.String()
		}
		for _, m := range s.Maps {
			detail += ", then " + printable.Name(p.Network.Nodes[p.Steps[m].Node].Name)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", i, p.Network.Nodes[s.Node].Name, pass, detail)
	}
	fmt.Fprintln(w)
	fmt.Fprintln(w, "offset\tbytes\tsteps\tvalue")
	order := make([]int, len(p.Values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(p.Values[a].Offset, p.Values[b].Offset), cmp.Compare(p.Values[a].First, p.Values[b].First))
	})
	for _, v := range order {
		value := p.Values[v]
		name := value.Name
		if value.InPlaceOf >= 0 {
			name += " in place of " + p.Values[value.InPlaceOf].Name
		}
		fmt.Fprintf(w, "%d\t%d\t%d-%d\t%s\n", value.Offset, value.Bytes, value.First, value.Last, name)
	}
	w.Flush()
	return b.String()
}

// names lists values by name, "-" standing for none.
func (p *Plan) names(values []int) string {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = "-"
		if v >= 0 {
			names[i] = p.Values[v].Name
		}
	}
	return strings.Join(names, ", ")
}
