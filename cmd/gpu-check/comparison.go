package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hubel-go/hubel/bench"
)

// comparison holds the device's values against those of the CPU and of PyTorch,
// and puts all times side by side.
func (c *check) comparison(context.Context) (string, error) {
	all := &bench.Report{}
	for _, r := range c.reports[onDevice] {
		all.Machine.CPU = r.Machine.CPU
		all.Results = append(all.Results, r.Results...)
	}
	if len(all.Results) == 0 {
		return "", errors.New("the device was not timed")
	}
	c.roofs(all)
	var parts []string
	var errs error
	for _, place := range []string{onCPU, predicted, pytorch} {
		compared := 0
		for _, r := range c.reports[place] {
			n, err := all.AddPeer(r)
			compared += n
			errs = errors.Join(errs, err)
		}
		if compared > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d values agree", place, compared))
		}
	}
	if len(parts) == 0 && errs == nil {
		errs = errors.New("there were no values to compare with")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "## AlexNet\n\nHost: %s. Share: of the card's peak or bandwidth, or of the CPU's, as far as known.\n\n", all.Machine.CPU)
	errs = errors.Join(errs, all.WriteMarkdown(&b))
	b.WriteString("\n```")
	errs = errors.Join(errs, all.WriteRatios(&b))
	b.WriteString("```\n")
	c.sections = append(c.sections, b.String())
	return strings.Join(parts, ", "), errs
}

// roofs are those of every place, and of the device where its card is known.
func (c *check) roofs(all *bench.Report) {
	for _, place := range []string{onCPU, predicted} {
		for _, r := range c.reports[place][:min(1, len(c.reports[place]))] {
			all.Machine.Roofs = append(all.Machine.Roofs, r.Machine.Roofs...)
		}
	}
	if card, err := c.card(); err == nil && !c.quick {
		all.Machine.Roofs = append(all.Machine.Roofs, bench.Roof{Device: c.device, FLOPS: card.Peak(), Bandwidth: card.Bandwidth})
	}
}
