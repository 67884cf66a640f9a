// Predictions predicts AlexNet's layers and a large product on every card that
// package costmodel knows, in float32 and in TF32, and writes the tables into
// docs/kernels.md. Whatever would be faster than a card's peak and bandwidth
// allow is an error. `make predictions` runs it.
//
//	go run ./tools/predictions [-check] docs/kernels.md
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/bench"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/section"
	"github.com/hubel-go/hubel/kernels/cuda/costmodel"
)

func main() {
	check := flag.Bool("check", false, "write nothing: fail if the file is not up to date")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: predictions [-check] docs/kernels.md")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *check); err != nil {
		fmt.Fprintln(os.Stderr, "predictions:", err)
		os.Exit(1)
	}
}

func run(document string, check bool) error {
	common := bench.Options{Models: []string{"alexnet"}, Batch: 128, Devices: []string{"ptxsim"}, GPUs: costmodel.Cards, Runs: 1, Progress: os.Stderr}
	large, net := common, common
	large.Kinds, large.Shapes = []string{bench.KindGEMM}, shapes()
	net.Kinds = []string{bench.KindLayers, bench.KindNet}
	largeTF32, netTF32 := inTF32(large), inTF32(net)
	netTF32.Kinds = []string{bench.KindNet}
	var b strings.Builder
	for i, o := range []bench.Options{large, net, largeTF32, netTF32} {
		r, err := bench.Run(context.Background(), o)
		if err != nil {
			return err
		}
		if err := possible(r); err != nil {
			return err
		}
		if i > 0 {
			b.WriteString("\n")
		}
		if err := r.WriteMarkdown(&b); err != nil {
			return err
		}
	}
	const command = "make predictions"
	text, err := section.InsertFile(document, command, b.String())
	if err != nil {
		return err
	}
	return section.Update(document, text, command, check)
}

// inTF32 is the same with TF32, on the cards that have it.
func inTF32(o bench.Options) bench.Options {
	o.TF32, o.GPUs = true, slices.DeleteFunc(slices.Clone(o.GPUs), func(c costmodel.Card) bool { return c.TF32 == 0 })
	return o
}

// shapes is a product of 4096 cubed in each of its four ways to be stored.
func shapes() []device.GEMM {
	var all []device.GEMM
	for i := range 4 {
		all = append(all, device.GEMM{TransA: i&2 != 0, TransB: i&1 != 0, M: 4096, N: 4096, K: 4096, Alpha: 1})
	}
	return all
}

// possible is an error about what would be faster than its card can be. Times
// are whole nanoseconds, a few of them for each kernel.
func possible(r *bench.Report) error {
	const slack = 10e-9
	for _, x := range r.Results {
		fraction, _, ok := r.Machine.OfRoof(x)
		if !ok || fraction*x.Seconds > x.Seconds+slack {
			return fmt.Errorf("%s on %s: %g s is %.1f %% of what the card can do", x.Key(), x.Device, x.Seconds, 100*fraction)
		}
	}
	return nil
}
