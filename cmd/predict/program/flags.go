package program

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/command"
)

// options are the flags.
type options struct {
	weights, device, out string
	features             command.Names
	batch, top, threads  int
	json, tenCrop        bool
	cpuPath              command.Path
	draw                 string

	paths []string
}

// flagSet declares the flags.
func (o *options) flagSet() *flag.FlagSet {
	f := flag.NewFlagSet("predict", flag.ContinueOnError)
	f.SetOutput(io.Discard) // an error is one line, without the usage
	f.StringVar(&o.weights, "weights", "", "`FILE` of weights that train has written, such as runs/NAME/best.safetensors")
	f.IntVar(&o.top, "top", 5, "number of classes to print, the most probable first")
	f.BoolVar(&o.json, "json", false, "print one line of JSON for each picture")
	f.BoolVar(&o.tenCrop, "ten-crop", false, "predict the mean over ten crops of each picture")
	f.Var(&o.features, "features", "write the outputs of these `LAYERS`, names separated by commas, into LAYER.npy, one row for each picture")
	f.StringVar(&o.out, "out", ".", "`FOLDER` for the files of -features")
	f.StringVar(&o.draw, "draw", "", "draw the first 96 pictures into this PNG `FILE`, with the points that the network predicts")
	f.IntVar(&o.batch, "batch", 32, "images per pass")
	f.StringVar(&o.device, "device", "cpu", "`NAME` of a device: "+strings.Join(device.Names(), ", ")+"; cuda:1 if there are several")
	f.IntVar(&o.threads, "threads", 0, "CPU threads; 0 for all")
	o.cpuPath = device.AutoPath
	f.Var(&o.cpuPath, "cpu-path", command.PathUsage)
	return f
}

// parse reads the command line. Its error for -h is flag.ErrHelp.
func parse(args []string) (*options, error) {
	o := &options{}
	f := o.flagSet()
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, fmt.Errorf("%w; -h lists the flags", err)
	}
	o.paths = f.Args()
	switch {
	case o.weights == "":
		return nil, errors.New("-weights is missing, such as -weights runs/NAME/best.safetensors")
	case len(o.paths) == 0:
		return nil, errors.New("there is no picture, or folder of pictures, to look at")
	case o.top < 1:
		return nil, errors.New("-top must be at least 1")
	case o.batch < 1:
		return nil, errors.New("-batch must be at least 1")
	case o.threads < 0:
		return nil, errors.New("-threads must be at least 0")
	case o.draw != "" && !strings.HasSuffix(strings.ToLower(o.draw), ".png"):
		return nil, fmt.Errorf("-draw %q must end in .png", o.draw)
	case o.out != "." && o.features == nil:
		return nil, errors.New("-out needs -features")
	}
	for _, path := range o.paths {
		if strings.HasPrefix(path, "-") {
			return nil, fmt.Errorf("flags come before pictures: %s is taken for one; ./%s is a picture of that name", path, path)
		}
	}
	return o, nil
}

const usageHead = `predict classifies pictures, or predicts numbers from them. The network, the
preprocessing and the names of the classes come from the weights file.

  predict -weights FILE [flags] PICTURE|FOLDER…

Pictures are JPEG, PNG, GIF, BMP, TIFF or WebP. A folder stands for all pictures in
it and in the folders below.

`

const usageFoot = `
Examples
  predict -weights runs/a/best.safetensors cat.jpg
  predict -weights runs/a/best.safetensors -json -top 1 photos > labels.jsonl
  predict -weights runs/a/best.safetensors -features fc7 -out features photos
  predict -weights runs/faces/best.safetensors -draw points.png faces

With -json, a name that is not UTF-8 is also in file_base64 or class_base64.

Exit code: 0 done; 1 some pictures could not be read or gave NaN (they are reported,
and left out of -features), or the device failed, or weights are NaN; 2 the flags or
the weights are wrong; 130 stopped by Ctrl-C.
`

// usage writes the help.
func usage(w io.Writer, f *flag.FlagSet) {
	fmt.Fprint(w, usageHead)
	f.VisitAll(func(f *flag.Flag) { command.Explain(w, f) })
	fmt.Fprint(w, usageFoot)
}
