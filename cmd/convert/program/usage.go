package program

import (
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/hubel-go/hubel/internal/command"
)

const usageHead = `convert reads networks of other frameworks into weights files, which train, predict,
show and bench take like any other, and writes weights files for other frameworks.

  convert FILE… -o FILE [flags]
  convert FILE… -o FOLDER [flags]        with the state of a training: a run to resume
  convert -net FILE|-model NAME -o FILE  with the weights that training begins with
  convert FILE… -info
  convert FILE… -verify INPUTS.npz

What a file is, its content says. A format that keeps a network, its weights and a mean
in files of their own takes all of them. What cannot be carried over is listed, a line for
each thing; nothing is written then, unless -force is given. Nothing in a file is run.

`

const usageFoot = `
Examples
  convert model.onnx -o net.safetensors
  convert deploy.prototxt net.caffemodel mean.binaryproto -classes words.txt -o net.safetensors
  convert solver.prototxt net.prototxt net.caffemodel net.solverstate -o runs/net
  convert resnet18.pth -model resnet18 -o net.safetensors
  convert net.safetensors -info
  convert net.safetensors -verify io.npz -map out=prob
  convert -model resnet18 -o resnet18.onnx

Exit code: 0 done; 1 something could not be carried over, or -verify found differences,
or the device failed; 2 the flags or the files are wrong; 130 stopped by Ctrl-C.
`

// usage writes the help.
func usage(w io.Writer, f *flag.FlagSet) {
	fmt.Fprint(w, usageHead)
	f.VisitAll(func(f *flag.Flag) { command.Explain(w, f) })
	fmt.Fprintf(w, "\nReads %s.\nWrites %s.\n", strings.Join(readerNames(), ", "), suffixes())
	fmt.Fprint(w, usageFoot)
}
