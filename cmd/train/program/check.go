package program

import (
	"context"
	"fmt"
	"io"

	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/graph/gradcheck"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/solver"
)

// check runs the sanity checks of what the flags describe, a line each.
func check(ctx context.Context, o *options, stdout, stderr io.Writer) (err error) {
	c, opened, err := o.newRun(ctx, stderr)
	if err != nil {
		return err
	}
	if c.Device, err = o.openDevice(c); err != nil {
		return err
	}
	defer command.Close(c.Device, &err)
	all, failed := 0, 0
	report := func(s solver.Sanity) {
		all++
		word := "PASS"
		if !s.OK {
			word = "FAIL"
			failed++
		}
		fmt.Fprintf(stdout, "%s  %s: %s\n", word, s.Name, printable.Line(s.Text))
	}
	c.Observers = []solver.Observer{solver.ObserverFunc(func(e solver.Event) error {
		if s, ok := e.(solver.Sanity); ok {
			report(s)
		}
		return nil
	})}
	if err := solver.CheckSanity(ctx, c); err != nil {
		return err
	}
	plan, err := c.Network.Plan(c.Device.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 2})
	if err != nil {
		return err
	}
	if cheap(plan) && len(plan.Jumping()) == 0 {
		report(checkGradients(c, plan))
	}
	listSkipped(stdout, opened.skipped)
	if failed > 0 {
		return command.BrokenError{Err: fmt.Errorf("%d of %d checks failed", failed, all)}
	}
	return nil
}

// What bounds the networks whose gradients are checked element by element, in
// plain loops: the forward pass, and steps times parameters, since each of those
// takes some passes. It lasts some seconds.
const (
	cheapFLOPs  = 20e6
	cheapPasses = 1e5
)

// cheap reports whether the network of a plan is small enough for that.
func cheap(plan *graph.Plan) bool {
	flops := int64(0)
	for _, s := range plan.Steps {
		if !s.Backward {
			flops += s.FLOPs
		}
	}
	return flops <= cheapFLOPs && len(plan.Steps)*len(plan.Params) <= cheapPasses
}

// checkGradients holds the gradients of single elements against differences in
// float64, and the device against those. Where there are statistics of the batch, it has
// four samples: two are normalised to 1 and -1 whatever they are, and their gradients are
// nothing but what rounding leaves.
func checkGradients(c solver.Config, plan *graph.Plan) solver.Sanity {
	o := gradcheck.Options{Classes: max(2, len(c.Train.Classes())), Frozen: c.Frozen, Elements: 4}
	if plan.StateBytes > 0 {
		o.Batch = 4
	}
	s := solver.Sanity{Name: "gradients in float64", OK: true}
	s.Text = fmt.Sprintf("those of every layer agree with differences to a relative 1e-6, and those on %s with them to 1e-4", c.Device.Name())
	err := gradcheck.Check(c.Network, o)
	if err == nil {
		err = gradcheck.Compare(c.Network, c.Device, o)
	}
	if err != nil {
		s.OK, s.Text = false, err.Error()
	}
	return s
}
