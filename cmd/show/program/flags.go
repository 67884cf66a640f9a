package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/inspect"
	"github.com/hubel-go/hubel/internal/command"
)

// options are what is to be shown, and the flags.
type options struct {
	verb *verb

	weights, image, images, layer, class, rule, scale, out, device string

	unit, size, step, threads int
	grey                      float64
	cpuPath                   command.Path
	given                     map[string]bool

	stdout, stderr io.Writer
}

// verb is something to show.
type verb struct {
	name, what string
	flags      []string // that it takes, beside -weights
	needs      []string // of them, those that must be there
	show       func(ctx context.Context, o *options) error
}

// onDevice are the flags of a verb that runs the network.
var onDevice = []string{"device", "threads", "cpu-path"}

// verbs lists them.
func verbs() []verb {
	return []verb{
		{"filters", "the filters of a convolution", []string{"layer", "out"}, []string{"out"}, showFilters},
		{"parameters", "a table of layers, outputs, parameters and FLOPs", onDevice, nil, showParameters},
		{"receptive-field", "a table of receptive fields, and their frames on a picture", append([]string{"image", "out"}, onDevice...), nil, showFields},
		{"activations", "each channel of a layer's output for a picture", append([]string{"image", "layer", "scale", "out"}, onDevice...), []string{"image", "layer", "out"}, showActivations},
		{"saliency", "how the score of a class changes with each pixel", append([]string{"image", "class", "out"}, onDevice...), []string{"image", "out"}, showSaliency},
		{"occlusion", "the probability of a class while a square covers a part of the picture", append([]string{"image", "class", "size", "step", "grey", "out"}, onDevice...), []string{"image", "out"}, showOcclusion},
		{"deconv", "what a unit responds to in a picture, or in the strongest 9 of a folder", append([]string{"image", "images", "layer", "unit", "rule", "out"}, onDevice...), []string{"out"}, showDeconv},
		{"gradcam", "where a convolution finds a class", append([]string{"image", "class", "layer", "out"}, onDevice...), []string{"image", "out"}, showGradCAM},
	}
}

// names are those of the verbs.
func names() string {
	var list []string
	for _, v := range verbs() {
		list = append(list, v.name)
	}
	return strings.Join(list, ", ")
}

// flagSet declares the flags.
func (o *options) flagSet() *flag.FlagSet {
	f := flag.NewFlagSet("show", flag.ContinueOnError)
	f.SetOutput(io.Discard) // an error is one line, without the usage
	f.StringVar(&o.weights, "weights", "", "`FILE` of weights that train has written, such as runs/NAME/best.safetensors")
	f.StringVar(&o.image, "image", "", "picture `FILE` to look at")
	f.StringVar(&o.out, "out", "", "PNG `FILE` to draw into")
	f.StringVar(&o.layer, "layer", "", "`NAME` of a layer; the first convolution for filters, the last one for deconv and gradcam")
	f.StringVar(&o.scale, "scale", "each", "`WHICH` numbers are black and white in activations: the smallest and the largest of each map, or of all")
	f.StringVar(&o.class, "class", "", "`NAME` or number of a class; the most probable one unless given")
	f.IntVar(&o.size, "size", 0, "`pixels` of a side of the square; an eighth of the picture unless given")
	f.IntVar(&o.step, "step", 0, "`pixels` between two places of the square, at most -size; a quarter of -size unless given")
	f.Float64Var(&o.grey, "grey", 128, "`value` of the square, from 0 to 255")
	f.StringVar(&o.images, "images", "", "`FOLDER` of pictures, of which those are shown in which the unit is the strongest")
	f.IntVar(&o.unit, "unit", 0, "`channel` of the layer, from 0 on; that with the largest activation unless given")
	f.StringVar(&o.rule, "rule", string(inspect.Deconv), "`RULE` for the way back through a ReLU: deconv, guided or gradient")
	f.StringVar(&o.device, "device", "cpu", "`NAME` of a device: "+strings.Join(device.Names(), ", ")+"; cuda:1 if there are several")
	f.IntVar(&o.threads, "threads", 0, "CPU threads; 0 for all")
	o.cpuPath = device.AutoPath
	f.Var(&o.cpuPath, "cpu-path", command.PathUsage)
	return f
}

// parse reads the command line. Its error for -h is flag.ErrHelp.
func parse(args []string) (*options, error) {
	o := &options{given: map[string]bool{}}
	f := o.flagSet()
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, fmt.Errorf("the first word says what to show: %s; -h lists the flags", names())
	}
	all := verbs()
	i := slices.IndexFunc(all, func(v verb) bool { return v.name == args[0] })
	if i < 0 {
		return nil, fmt.Errorf("there is no %.40q to show: there are %s", args[0], names())
	}
	o.verb = &all[i]
	if err := f.Parse(args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, fmt.Errorf("%w; -h lists the flags", err)
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("%q is no flag; a picture is -image FILE", f.Arg(0))
	}
	f.Visit(func(g *flag.Flag) { o.given[g.Name] = true })
	return o, o.check(f)
}

// check says what is wrong with the flags, if anything.
func (o *options) check(f *flag.FlagSet) (err error) {
	f.Visit(func(g *flag.Flag) {
		if err == nil && g.Name != "weights" && !slices.Contains(o.verb.flags, g.Name) {
			err = fmt.Errorf("-%s has no meaning for %s; it takes -weights, -%s", g.Name, o.verb.name, strings.Join(o.verb.flags, ", -"))
		}
	})
	switch {
	case err != nil:
		return err
	case o.weights == "":
		return errors.New("-weights is missing, such as -weights runs/NAME/best.safetensors")
	case o.threads < 0:
		return errors.New("-threads must be at least 0")
	case o.given["out"] && !strings.HasSuffix(strings.ToLower(o.out), ".png"):
		return fmt.Errorf("-out %q must end in .png", o.out)
	case o.scale != "each" && o.scale != "all":
		return fmt.Errorf("-scale %.40q is unknown; there are each and all", o.scale)
	case o.verb.name == "deconv" && o.given["image"] == o.given["images"]:
		return errors.New("deconv needs either -image or -images")
	case o.given["unit"] && o.unit < 0:
		return errors.New("-unit must be at least 0")
	case o.given["size"] && o.size < 1:
		return errors.New("-size must be at least 1")
	case o.given["step"] && o.step < 1:
		return errors.New("-step must be at least 1")
	}
	for _, name := range o.verb.needs {
		if !o.given[name] {
			return fmt.Errorf("%s needs -%s", o.verb.name, name)
		}
	}
	return nil
}

const usageHead = `show draws what is in a trained network. The network and the preprocessing come from
the weights file.

  show WHAT -weights FILE [flags]

`

const usageFoot = `
Examples
  show parameters -weights runs/a/best.safetensors
  show activations -weights runs/a/best.safetensors -image cat.jpg -layer conv2 -out maps.png
  show gradcam -weights runs/a/best.safetensors -image cat.jpg -class dog -out dog.png
  show deconv -weights runs/a/best.safetensors -images photos -layer conv3 -unit 7 -out unit.png
  show receptive-field -weights runs/a/best.safetensors -image cat.jpg -out fields.png

Exit code: 0 done; 1 the device failed, or weights or results are NaN; 2 the flags or
files are wrong, and nothing was written; 130 stopped by Ctrl-C.
`

// usage writes the help.
func usage(w io.Writer, f *flag.FlagSet) {
	fmt.Fprint(w, usageHead)
	for _, v := range verbs() {
		fmt.Fprintf(w, "  %-16s %s\n", v.name, v.what)
		var flags []string
		for _, name := range v.flags {
			if !slices.Contains(onDevice, name) {
				flags = append(flags, "-"+name)
			}
		}
		if len(flags) > 0 {
			fmt.Fprintf(w, "  %-16s takes %s\n", "", strings.Join(flags, " "))
		}
	}
	fmt.Fprintln(w)
	f.VisitAll(func(f *flag.Flag) { command.Explain(w, f) })
	fmt.Fprint(w, usageFoot)
}
