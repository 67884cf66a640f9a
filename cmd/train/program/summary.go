package program

import (
	"errors"
	"fmt"
	"io"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/printable"
)

// summarise prints what -summary promises. It neither opens the device nor
// reads data.
func summarise(o *options, stdout io.Writer) error {
	n, err := o.network(nil)
	if err != nil {
		return err
	}
	traits, err := device.TraitsOf(o.device, o.deviceOptions())
	if err != nil {
		return err
	}
	optimiser := o.optimiser()
	train := graph.PlanOptions{Mode: graph.Train, Batch: o.batch, Frozen: o.frozen, Slabs: len(optimiser.Slabs())}
	plain := train
	train.Memory = int64(o.memory)
	_, err = n.Plan(traits, train)
	scarce, over := errors.AsType[*graph.MemoryError](err)
	if over {
		train = plain
	}
	table, err := n.Summary(traits, train)
	if err != nil {
		return err
	}
	infer := graph.PlanOptions{Mode: graph.Infer, Batch: o.batch}
	plan, err := n.Plan(traits, infer)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s\n\n%smemory to %v at batch %d: %s\n", printable.Name(n.Name), table, graph.Infer, o.batch, graph.MiB(plan.Memory().Total()))
	if o.memory == 0 {
		return printPlan(n, traits, train, stdout)
	}
	fmt.Fprintf(stdout, "\nlargest batch in %v:\n", &o.memory)
	for _, options := range []graph.PlanOptions{plain, infer} {
		batch, err := n.LargestBatch(traits, options, int64(o.memory))
		if err != nil {
			return err
		}
		text := fmt.Sprint(batch)
		if batch == 0 {
			text = "none: one image does not fit"
		}
		fmt.Fprintf(stdout, "  to %-6v %s\n", options.Mode, text)
	}
	fmt.Fprintln(stdout, "  for that plan alone: testing during training takes one for inference besides")
	if scarce != nil {
		fmt.Fprintf(stdout, "\n%v\n", scarce)
	}
	return printPlan(n, traits, train, stdout)
}

// printPlan prints the memory plan: every step, and every span of the arena.
func printPlan(n *graph.Network, t device.Traits, o graph.PlanOptions, stdout io.Writer) error {
	plan, err := n.Plan(t, o)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "\n%s", plan)
	return err
}
