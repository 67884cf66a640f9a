package program

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/internal/command"
)

// options are the flags.
type options struct {
	out, net, model, classes string
	order                    string

	input           shape
	mean, deviation numbers
	scale           float64

	batch int // of a run

	info, force, withPreprocessing bool

	verify    string
	tolerance float64
	names     pairs

	device  string
	threads int
	cpuPath command.Path

	paths []string
}

// flagSet declares the flags.
func (o *options) flagSet() *flag.FlagSet {
	f := flag.NewFlagSet("convert", flag.ContinueOnError)
	f.SetOutput(io.Discard) // an error is one line, without the usage
	f.StringVar(&o.out, "o", "", "`FILE` to write; the end of its name says what: "+suffixes()+". With the state of a training, the folder of a run to go on with")
	f.BoolVar(&o.info, "info", false, "print the layers, their shapes and parameters, and what else the files say; write nothing")
	f.BoolVar(&o.force, "force", false, "write the file, and end with exit code 0, also if something could not be carried over or -verify found differences")
	f.Var(&o.input, "input", "shape of one sample, `CxHxW`, where the files leave it open")
	f.StringVar(&o.order, "order", "", "`ORDER` of the channels that the network takes, rgb or bgr, where the files leave it open; Caffe's usual one is bgr")
	f.StringVar(&o.net, "net", "", "read weights into the network of this JSON `FILE`; without a file of weights it gets those that training begins with")
	f.StringVar(&o.model, "model", "", "the same with the network of this `NAME`; train -h lists them")
	f.IntVar(&o.batch, "batch", 0, "`SAMPLES` of one pass, of a run whose files do not say; it replaces the number that they have")
	f.StringVar(&o.classes, "classes", "", "`FILE` of class names, one in each line, in the order of the outputs")
	f.Var(&o.mean, "mean", "what to take off pixels, which are 0 to 255, before anything else: `NUMBERS`, one or one for each channel, with commas between; instead of what the files say")
	f.Var(&o.deviation, "deviation", "what to divide pixels by after that: `NUMBERS`, as for -mean")
	f.Float64Var(&o.scale, "scale", 0, "what to multiply pixels by after that: `NUMBER`")
	f.BoolVar(&o.withPreprocessing, "with-preprocessing", false, "put the preprocessing into the network that is written, which then takes pixels from 0 to 255 (.onnx)")
	f.StringVar(&o.verify, "verify", "", "run the network on the arrays of this .npz `FILE`, and compare all values that it has recorded")
	f.Float64Var(&o.tolerance, "tolerance", 1e-4, "largest error that -verify accepts, as a part of an array's largest value")
	f.Var(&o.names, "map", "names for -verify, `ARRAY=VALUE`, with commas between or given repeatedly; VALUE is of the network, or a part of one, as 'conv1[:,0:8]'")
	f.StringVar(&o.device, "device", "cpu", "`NAME` of the device for -verify: "+strings.Join(device.Names(), ", ")+"; cuda:1 if there are several")
	f.IntVar(&o.threads, "threads", 0, "CPU threads; 0 for all")
	o.cpuPath = device.AutoPath
	f.Var(&o.cpuPath, "cpu-path", command.PathUsage)
	return f
}

// parse reads the command line: flags may stand before and after files. Its error for -h is
// flag.ErrHelp.
func parse(args []string) (*options, error) {
	o := &options{}
	f := o.flagSet()
	for {
		if err := f.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, fmt.Errorf("%w; -h lists the flags", err)
		}
		rest := f.Args()
		if len(rest) == 0 {
			break
		}
		if len(rest) < len(args) && args[len(args)-len(rest)-1] == "--" { // files, whatever their names
			o.paths = append(o.paths, rest...)
			break
		}
		o.paths, args = append(o.paths, rest[0]), rest[1:]
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	return o, o.check(given)
}

// check says what does not fit together.
func (o *options) check(given map[string]bool) error {
	switch {
	case len(o.paths) == 0 && o.net == "" && o.model == "":
		return errors.New("there is no file to convert, such as convert model.onnx -o net.safetensors")
	case o.info && o.out != "":
		return errors.New("-info writes nothing: leave out -o, or -info")
	case o.info && o.verify != "":
		return errors.New("-info runs nothing: leave out -verify, or -info")
	case !o.info && o.out == "" && o.verify == "":
		return errors.New("-o is missing, such as -o net.safetensors; -info prints what the files hold, and -verify compares")
	case o.net != "" && o.model != "":
		return errors.New("-net and -model both name a network: keep one")
	case o.order != "" && o.order != "rgb" && o.order != "bgr":
		return fmt.Errorf("-order %q is neither rgb nor bgr", o.order)
	case o.threads < 0:
		return errors.New("-threads must be at least 0")
	case !(o.tolerance > 0 && o.tolerance <= 1):
		return errors.New("-tolerance must be above 0, and at most 1")
	case given["scale"] && !(o.scale != 0 && math.Abs(o.scale) <= math.MaxFloat32):
		return errors.New("-scale must be a number other than 0")
	case (given["map"] || given["tolerance"]) && o.verify == "":
		return errors.New("-map and -tolerance need -verify")
	case o.out == "" && o.withPreprocessing:
		return errors.New("-with-preprocessing needs -o")
	case given["batch"] && (o.batch < 1 || o.batch > math.MaxInt32):
		return errors.New("-batch must be at least 1")
	}
	return nil
}

// shape is a flag of the shape of one sample.
type shape []int

// Set implements flag.Value.
func (s *shape) Set(text string) error {
	*s = nil
	for part := range strings.SplitSeq(text, "x") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 || len(*s) == 3 {
			return errors.New("it is channels, height and width, such as 3x224x224")
		}
		*s = append(*s, n)
	}
	if len(*s) != 3 {
		return errors.New("it is channels, height and width, such as 3x224x224")
	}
	return nil
}

// String implements flag.Value.
func (s *shape) String() string {
	if *s == nil {
		return ""
	}
	return dims(*s)
}

// numbers is a flag of numbers with commas between.
type numbers []float32

// Set implements flag.Value.
func (l *numbers) Set(text string) error {
	*l = nil
	for part := range strings.SplitSeq(text, ",") {
		x, err := strconv.ParseFloat(strings.TrimSpace(part), 32)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return errors.New("it is numbers with commas between, such as 123.68,116.78,103.94")
		}
		*l = append(*l, float32(x))
	}
	return nil
}

// String implements flag.Value.
func (l *numbers) String() string {
	parts := make([]string, len(*l))
	for i, x := range *l {
		parts[i] = fmt.Sprint(x)
	}
	return strings.Join(parts, ",")
}

// forChannels is one number for each channel.
func (l numbers) forChannels(channels int) data.Floats {
	if len(l) == 1 {
		return slices.Repeat(data.Floats(l), channels)
	}
	return data.Floats(l)
}

// pairs is a flag of arrays and the values that they are of.
type pairs map[string]string

// Set implements flag.Value.
func (p *pairs) Set(text string) error {
	if *p == nil {
		*p = pairs{}
	}
	for _, part := range splitPairs(text) {
		array, value, ok := strings.Cut(part, "=")
		if !ok || array == "" || value == "" {
			return errors.New("it is ARRAY=VALUE, such as prob=softmax1,out=conv9[:,0:8]")
		}
		if _, twice := (*p)[array]; twice {
			return fmt.Errorf("%q stands there twice", array)
		}
		(*p)[array] = value
	}
	return nil
}

// splitPairs splits at commas, but not inside of brackets.
func splitPairs(text string) []string {
	depth := 0
	return strings.FieldsFunc(text, func(r rune) bool {
		switch r {
		case '[':
			depth++
		case ']':
			depth--
		}
		return r == ',' && depth == 0
	})
}

// String implements flag.Value.
func (p *pairs) String() string { return "" }

// deviceOptions are those of the device.
func (o *options) deviceOptions() device.Options {
	return device.Options{Threads: o.threads, CPUPath: string(o.cpuPath)}
}

// writeOptions are those of the writer.
func (o *options) writeOptions() formats.WriteOptions {
	return formats.WriteOptions{Preprocessing: o.withPreprocessing}
}
