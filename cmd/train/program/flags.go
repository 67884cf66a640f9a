package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/dist"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/models"
	"github.com/hubel-go/hubel/solver"
)

// mode is what the program is asked to do. Modes are bits, so that a flag can
// name those in which it has a meaning.
type mode uint8

const (
	training mode = 1 << iota
	resuming
	evaluating
	summarising
	replaying
	previewing
	finding
	listing
)

// String is the flag that chose the mode.
func (m mode) String() string {
	return map[mode]string{training: "training", resuming: "-resume", evaluating: "-eval", summarising: "-summary", replaying: "-replay", previewing: "-preview", finding: "-lr-find", listing: "-devices"}[m]
}

// options are the flags.
type options struct {
	mode  mode
	given map[string]bool

	model, net, init, weights string
	dataInit                  int
	data, device              string
	threads                   int
	cpuPath                   command.Path
	winograd                  string
	tf32                      bool
	debugSync                 bool

	val, split          string
	classes, each       string
	order               string
	augmentText, normal string
	augment             data.Augment
	strict, tenCrop     bool
	index               string
	balance             bool
	preview             int
	picture             string // file of the preview
	find                string // file of the plot of -lr-find
	findRange           command.Range

	batch, accumulate int
	epochs, iters     int
	rate, rateEnd     float64
	policy            string
	gamma, power      float64
	step              int
	steps             command.Numbers
	warmup            int
	lrPer             int
	method            string
	momentum          float64
	momentumEnd       float64
	nesterov          bool
	beta1, beta2      float64
	epsilon, trust    float64
	decay, clip       float64
	ema               float64
	swa               int
	seed              uint64
	frozen, fresh     command.Names
	layerRates        command.Factors

	out, resume string
	logEvery    int
	checkpoint  interval
	patience    int

	eval, summary bool
	devices       bool
	check         bool
	replay        string
	debug         int
	monitor       monitorEvery
	tensorBoard   bool
	logCSV        bool
	live          liveAddress
	memory        command.Size

	dist, distOrder string
	zero, syncBN    bool
	ncclID          string
	rank, ranks     int

	set   *flag.FlagSet      // of the flags
	stop  context.CancelFunc // ends the program as Ctrl-C does
	group dist.Group         // of the ranks that train together; nil of one that trains alone

	messenger device.Device // of a group whose messages go through a device, which is closed after it
}

// The values of -winograd.
const (
	winogradAuto = "auto"
	winogradOff  = "off"
)

// deviceOptions are those the device is opened with.
func (o *options) deviceOptions() device.Options {
	return device.Options{Threads: o.threads, CPUPath: string(o.cpuPath), DirectConv: o.winograd == winogradOff, TF32: o.tf32, DebugSync: o.debugSync}
}

// entry is a flag as the usage shows it.
type entry struct {
	name  string
	modes mode
}

// group is a headline of the usage and the flags under it.
type group struct {
	title   string
	entries []entry
}

const every = training | resuming | evaluating | summarising | replaying

// groups lists every flag once.
var groups = []group{
	{"What to train", []entry{
		{"model", training | summarising | finding},
		{"net", training | summarising | finding},
		{"init", training | summarising | finding},
		{"data-init", training | finding},
		{"weights", training | evaluating | finding},
		{"frozen", training | summarising | finding},
		{"fresh", training | finding},
	}},
	{"The data", []entry{
		{"data", training | resuming | evaluating | previewing | finding},
		{"val", training | resuming | evaluating | finding},
		{"split", training | resuming | evaluating | finding},
		{"classes", training | resuming | evaluating | finding},
		{"each", training | resuming | evaluating | finding},
		{"order", training | resuming | evaluating | previewing | finding},
		{"augment", training | previewing | finding},
		{"preprocess", training | previewing | finding},
		{"balance", training | finding},
		{"index", training | resuming | evaluating | previewing | finding},
		{"strict", training | resuming | evaluating | previewing | finding},
		{"ten-crop", training | evaluating},
	}},
	{"How long", []entry{
		{"epochs", training | resuming},
		{"iters", training | resuming | finding},
		{"batch", training | evaluating | summarising | finding},
		{"accumulate", training | finding},
		{"patience", training | resuming},
	}},
	{"The learning rate", []entry{
		{"lr", training},
		{"lr-policy", training},
		{"gamma", training},
		{"power", training},
		{"step", training},
		{"steps", training},
		{"lr-end", training},
		{"warmup", training},
		{"lr-per", training},
		{"lr-mult", training | finding},
	}},
	{"Gradient descent", []entry{
		{"optimiser", training | summarising | finding},
		{"momentum", training | finding},
		{"momentum-end", training},
		{"nesterov", training | finding},
		{"beta1", training | finding},
		{"beta2", training | finding},
		{"epsilon", training | finding},
		{"trust", training | finding},
		{"decay", training | finding},
		{"clip", training | finding},
		{"ema", training | summarising},
		{"swa", training | summarising},
		{"seed", training | previewing | finding},
	}},
	{"The run's folder", []entry{
		{"out", training | evaluating},
		{"resume", resuming},
		{"checkpoint", training | resuming},
		{"log-every", training | resuming},
		{"debug", training | resuming},
		{"monitor", training | resuming},
		{"tensorboard", training | resuming},
		{"log-csv", training | resuming},
		{"live", training | resuming},
	}},
	{"Several machines", []entry{
		{"dist", training | resuming},
		{"dist-order", training},
		{"zero", training | resuming},
		{"sync-bn", training},
		{"nccl-id", training | resuming},
		{"rank", training | resuming},
		{"ranks", training | resuming},
	}},
	{"Instead of training", []entry{
		{"eval", evaluating},
		{"summary", summarising},
		{"memory", training | resuming | summarising | finding},
		{"check", training},
		{"replay", replaying},
		{"preview", previewing},
		{"lr-find", finding},
		{"lr-range", finding},
		{"devices", listing},
	}},
	{"The machine", []entry{
		{"device", every | finding},
		{"threads", finding | training | resuming | evaluating | replaying | listing},
		{"cpu-path", every | finding | listing},
		{"winograd", finding | training | evaluating | summarising | replaying},
		{"tf32", finding | training | evaluating | summarising | replaying},
		{"debug-sync", finding | training | resuming | evaluating | replaying},
	}},
}

// flagSet declares the flags.
func (o *options) flagSet() *flag.FlagSet {
	f := flag.NewFlagSet("train", flag.ContinueOnError)
	f.SetOutput(io.Discard) // an error is one line, without the usage
	f.StringVar(&o.model, "model", "", "`name` of a network: "+strings.Join(models.Names(), ", "))
	f.StringVar(&o.net, "net", "", "`file` of a network in JSON, instead of -model; docs/training.md has an example")
	f.StringVar(&o.init, "init", "", "`which` initialisation AlexNet gets: paper, caffe or msra")
	f.IntVar(&o.dataInit, "data-init", 0, "adapt the initial weights to this many `images` of -data, such as 64: each channel that a convolution or a dense layer makes then begins with mean 0 and deviation 1; 0 for none")
	f.StringVar(&o.data, "data", "", "`set` to train on: a folder with a folder of pictures, or of .npy arrays [C,H,W], for each class, a tar file of such a folder, a folder of tar files, a list FILE.txt of paths and the numbers of classes, cifar10[:DIR], mnist[:DIR], fashion-mnist[:DIR], emnist-letters[:DIR] and its other splits, keypoints:FILE or keypoints-missing:FILE, points in faces in Kaggle's CSV, or synthetic[:TRAIN,TEST], which is generated")
	f.StringVar(&o.val, "val", "", "`path` of photographs to test on, if -data is a path too")
	f.StringVar(&o.split, "split", "", "`share` of each class of -data to test on, instead of -val, such as 0.1; 0.1,0.2 keeps a second share for -eval; @SEED draws other pictures; or a file, each line with a name and train, val or test")
	f.StringVar(&o.classes, "classes", "", "`classes` of -data and -val to use, instead of all: names, or numbers in the order of the names, such as 0-4,7")
	f.StringVar(&o.order, "order", "", "`order` of three channels in an LMDB or HDF5 files: bgr, as Caffe's tools write them, or rgb; without it bgr")
	f.StringVar(&o.each, "each", "", "`number` of pictures of each class to train on, instead of all, such as 20; 20@SEED draws other pictures")
	f.StringVar(&o.augmentText, "augment", "", "`steps` from a picture to an image: "+strings.Join(data.AugmentGrammar(), ", "))
	f.StringVar(&o.normal, "preprocess", "", "`words` for the preprocessing of pixels after that: mean or mean-image; std, whiten or whiten-colours; scale=X; or none (default for photographs mean,std; otherwise scale=0.00390625; but without -data-init mean for AlexNet, CaffeNet, GoogLeNet and the cifar10 networks as published)")
	f.BoolVar(&o.balance, "balance", false, "take each class equally often in an epoch, instead of each image once, so that small classes count as much as large ones")
	f.StringVar(&o.index, "index", "", "`folder` that keeps the index of tar files, so that they are indexed once, by the first of several processes; without it that is the run's folder; off for none")
	f.BoolVar(&o.strict, "strict", false, "end with an error if a file cannot be used, instead of leaving it out")
	f.BoolVar(&o.tenCrop, "ten-crop", false, "predict the mean over ten crops of each picture: with -eval, or, in training, in all later uses of the weights")
	f.IntVar(&o.preview, "preview", 0, "draw `N` images as -augment makes them and, with -preprocess, beside each what it makes of it: train -data SET -augment STEPS -preview N out.png")
	f.StringVar(&o.weights, "weights", "", "`file` of weights to start from, or to evaluate")
	f.Var(&o.frozen, "frozen", "layers or parameters that are not trained: `names` separated by commas, such as conv1,ip1.bias")
	f.Var(&o.fresh, "fresh", "layers or parameters that are initialised again, not read from -weights, and those of -weights to leave out: `names` separated by commas, such as fc8")

	f.IntVar(&o.epochs, "epochs", 5, "passes over the training set")
	f.IntVar(&o.iters, "iters", 0, "updates of the weights, instead of -epochs")
	f.IntVar(&o.batch, "batch", 64, "images per pass")
	f.IntVar(&o.accumulate, "accumulate", 1, "passes whose gradients are added for one update, for batches larger than memory")

	f.IntVar(&o.patience, "patience", 0, "end the run after this many tests in a row without a better one; 0 for never")

	f.Float64Var(&o.rate, "lr", 0, "learning rate: at the start, or the highest of one-cycle"+usually(func(o solver.Optimiser) float32 { return float32(o.Schedule.Rate) }))
	f.StringVar(&o.policy, "lr-policy", "fixed", "`rule` for the rate of iteration k\n"+policyFormulas())
	f.Float64Var(&o.gamma, "gamma", 0, "g: a factor of step, multistep, exp, plateau and one-cycle, how fast natural-exp, inv and inverse-time fall, or 1, 2, ... of cosine-restarts")
	f.Float64Var(&o.power, "power", 0, "p of inv and poly")
	f.IntVar(&o.step, "step", 0, "n of step and cosine-restarts (iterations) and of plateau (tests in a row)")
	f.Var(&o.steps, "steps", "a,b,c of multistep: `iterations` separated by commas")
	f.Float64Var(&o.rateEnd, "lr-end", 0, "end of linear")
	f.IntVar(&o.lrPer, "lr-per", 0, "`samples` that -lr is for, such as 256: the rate is -lr times the whole batch, of all passes and ranks, over this many")
	f.IntVar(&o.warmup, "warmup", 0, "`iterations` before -lr-policy begins, in which the rate rises along a line to its start")
	f.Var(&o.layerRates, "lr-mult", "`factors` of the rates of layers or parameters, such as conv1=0.1,fc8.bias=2; they multiply those in -net")
	f.StringVar(&o.method, "optimiser", solver.SGD, "`rule` by which a gradient g moves a weight w; docs/training.md has the whole formulas\n"+optimiserFormulas())
	number := func(x *float64, name, text string, of func(o solver.Optimiser) float32) {
		f.Float64Var(x, name, 0, text+usually(of))
	}
	number(&o.momentum, "momentum", "m, momentum: share of the last update that is added to the next", func(o solver.Optimiser) float32 { return o.Momentum })
	f.Float64Var(&o.momentumEnd, "momentum-end", 0, "momentum at the end: it goes there along a line (with one-cycle: to there while the rate rises, and back); 0 for no change")
	f.BoolVar(&o.nesterov, "nesterov", false, "use Nesterov's momentum")
	number(&o.beta1, "beta1", "share of the old mean of gradients in the new one", func(o solver.Optimiser) float32 { return o.Beta1 })
	number(&o.beta2, "beta2", "the same for the mean of squared gradients, and for lion's mean", func(o solver.Optimiser) float32 { return o.Beta2 })
	number(&o.epsilon, "epsilon", "what is added to a square root before it divides", func(o solver.Optimiser) float32 { return o.Epsilon })
	number(&o.trust, "trust", "t: size of a step as a share of that of the weights", func(o solver.Optimiser) float32 { return o.Trust })
	number(&o.decay, "decay", "weight decay, L2", func(o solver.Optimiser) float32 { return o.Decay })
	f.Float64Var(&o.clip, "clip", 0, "largest norm of the gradient of all weights together (gradient clipping); 0 for no limit")
	f.Float64Var(&o.ema, "ema", 0, "also keep a moving average of the weights; each update keeps this share of it, such as 0.999; 0 for none")
	f.IntVar(&o.swa, "swa", 0, "also keep the mean of the weights from this `update` on; 0 for none")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the initial weights, the order of images, augmentation and dropout")

	f.StringVar(&o.out, "out", "", "`folder` for the run's files; without it runs/MODEL-DATA. With -eval, for the confusion matrix")
	f.StringVar(&o.resume, "resume", "", "`folder` of a run to continue; -epochs or -iters make it longer")
	f.Var(&o.checkpoint, "checkpoint", "write a checkpoint `every` so many iterations, such as 500, or so much time, such as 10m, instead of every epoch")
	f.IntVar(&o.logEvery, "log-every", 10, "iterations between two lines of log.jsonl")
	f.IntVar(&o.debug, "debug", 0, "`iterations` between two lines of debug.jsonl, which has statistics of every layer; 0 for none")
	f.Var(&o.monitor, "monitor", "write histograms of every layer's outputs, weights and gradients to monitor.jsonl, draw them, and say what they and the curves mean; -monitor=100 looks at the first of each 100 `iterations`, -monitor at 50 in the run")
	f.BoolVar(&o.tensorBoard, "tensorboard", false, "write event files for TensorBoard: the numbers of log.jsonl, the first filters with each checkpoint, the graph, the settings, and what -monitor sees")
	f.BoolVar(&o.logCSV, "log-csv", false, "write log.csv, which has the numbers of log.jsonl as a table")
	f.Var(&o.live, "live", "show the run in a browser while it is trained, and keep filters.jsonl, answers.json and machine.json for the command live; -live=8080 or -live=HOST:PORT listens at that `address`, -live at a free port that only this machine can reach")

	f.StringVar(&o.dist, "dist", "", "train with all processes that a launcher has started, by this `engine`: mpi; nccl, each with a CUDA device, joined by MPI or -nccl-id; auto, that of the launcher if there is one; off, each process by itself. docs/distributed.md says how to launch them")
	f.StringVar(&o.distOrder, "dist-order", orderPlain, "`order` in which the gradients of passes and ranks are added: fixed gives the same bits for any number of ranks, and -accumulate times the ranks in one process; plain is faster")
	f.BoolVar(&o.zero, "zero", false, "each rank keeps a part of what the optimiser keeps (ZeRO-1), which saves memory")

	f.BoolVar(&o.syncBN, "sync-bn", false, "batch norm takes the statistics of the samples of all ranks, instead of those of each")
	f.StringVar(&o.ncclID, "nccl-id", "", "with -dist nccl: a `file` that all ranks can reach, by which they find each other without MPI; rank 0 makes it, and removes it when all have come")
	f.IntVar(&o.rank, "rank", 0, "with -nccl-id: which rank this process is, from `0`; without it, the launcher says")
	f.IntVar(&o.ranks, "ranks", 0, "with -nccl-id: `how many` there are")

	f.BoolVar(&o.eval, "eval", false, "print the loss and the accuracy of -weights on the test set of -data")
	f.BoolVar(&o.summary, "summary", false, "print layers, shapes, parameters, FLOPs and memory; needs no data")
	f.Var(&o.memory, "memory", "train within this `size`, such as 2GiB: what does not fit is not kept for the backward pass but computed again, to the same bits; with -summary also the largest batch that fits without that")
	f.BoolVar(&o.check, "check", false, "check before training: the first loss, weight decay, gradients, and whether a few images can be learnt by heart")
	f.StringVar(&o.replay, "replay", "", "repeat the update in diverged.safetensors, the `file` that a run writes if its loss is not finite")

	f.StringVar(&o.find, "lr-find", "", "find a learning rate: make updates with a rising rate until the loss grows, and draw the `picture` out.png; nothing else is kept")
	f.Var(&o.findRange, "lr-range", "rates `from,to` of -lr-find; without it from 1/10000 to 1000 times the usual rate")

	f.BoolVar(&o.devices, "devices", false, "list the devices of this machine, and why one cannot be used")

	f.StringVar(&o.device, "device", "cpu", "`name` of a device: "+strings.Join(device.Names(), ", ")+"; cuda:1 if there are several. cuda:0,cuda:1 trains on both, each a rank (docs/distributed.md)")
	f.IntVar(&o.threads, "threads", 0, "CPU threads; 0 for all")
	o.cpuPath = device.AutoPath
	f.Var(&o.cpuPath, "cpu-path", command.PathUsage+"; with -resume, continue on this path even if the run used another")
	f.StringVar(&o.winograd, "winograd", winogradAuto, "`when` convolutions use Winograd's algorithm: auto, if it is faster; off, never (direct convolutions round less)")
	f.BoolVar(&o.tf32, "tf32", false, "multiply on a GPU's tensor cores, which round to 10 bits after the leading one; needs compute capability 8.0 or later")
	f.BoolVar(&o.debugSync, "debug-sync", false, "on a GPU, wait for each kernel before the next, so that an error names the kernel and the layer that failed")
	return f
}

// parse reads the command line. Its error for -h is flag.ErrHelp.
func parse(args []string) (*options, error) {
	o := &options{given: map[string]bool{}}
	f := o.flagSet()
	o.set = f
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, fmt.Errorf("%w; -h lists the flags", err)
	}
	note := func(f *flag.Flag) { o.given[f.Name] = true }
	f.Visit(note)
	if f.NArg() > 0 && o.given["preview"] { // the picture's name; flags may follow it
		o.picture = f.Arg(0)
		if err := f.Parse(f.Args()[1:]); err != nil {
			return nil, fmt.Errorf("%w; -h lists the flags", err)
		}
	}
	if f.NArg() > 0 {
		if n, err := strconv.Atoi(f.Arg(0)); err == nil && o.monitor == monitorSome {
			return nil, fmt.Errorf("-monitor takes its number after an equals sign: -monitor=%d", n)
		}
		if o.live.Listen == command.ListenLoopback && new(command.Listen).Set(f.Arg(0)) == nil {
			return nil, fmt.Errorf("-live takes its address after an equals sign: -live=%s", f.Arg(0))
		}
		return nil, fmt.Errorf("%q is not a flag; -h lists the flags", f.Arg(0))
	}
	f.Visit(note)
	for _, check := range []func() error{o.checkMode, o.checkOptimiser, o.checkValues, o.checkPolicy, o.checkData} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// checkMode finds what is asked for, and flags that are missing from it or
// mean nothing in it.
func (o *options) checkMode() error {
	o.mode = training
	for _, m := range []struct {
		asked bool
		mode  mode
	}{{o.given["resume"], resuming}, {o.eval, evaluating}, {o.summary, summarising}, {o.given["replay"], replaying}, {o.given["preview"], previewing}, {o.given["lr-find"], finding}, {o.devices, listing}} {
		if !m.asked {
			continue
		}
		if o.mode != training {
			return fmt.Errorf("%v and %v contradict each other", o.mode, m.mode)
		}
		o.mode = m.mode
	}
	for _, pair := range [][2]string{{"model", "net"}, {"init", "net"}, {"epochs", "iters"}, {"val", "split"}, {"ema", "swa"}} {
		if o.given[pair[0]] && o.given[pair[1]] {
			return fmt.Errorf("-%s and -%s contradict each other", pair[0], pair[1])
		}
	}
	for _, g := range groups {
		for _, e := range g.entries {
			if o.given[e.name] && e.modes&o.mode == 0 {
				return o.meaningless(e)
			}
		}
	}
	switch {
	case o.mode&(training|summarising|finding) != 0 && o.model == "" && o.net == "":
		return fmt.Errorf("-model or -net is missing; the networks are %s", strings.Join(models.Names(), ", "))
	case o.mode&(training|evaluating|previewing|finding) != 0 && o.data == "":
		return fmt.Errorf("-data is missing; the data sets are %s, and folders or tar files of pictures", strings.Join(data.Names(), ", "))
	case data.ParsePhotoSpec(o.dataText()) != o.photoSpec():
		return errors.New("a name with \" -val \", \" -split \", \" -classes \", \" -each \" or \" -order \" in it is taken for these flags in a run folder: rename it, or give it a link")
	case o.mode == evaluating && o.weights == "":
		return errors.New("-eval needs -weights, such as runs/NAME/weights.safetensors")
	case o.check && (o.given["out"] || o.given["checkpoint"] || o.given["debug"] || o.given["monitor"] || o.given["live"] || o.given["patience"] || o.tensorBoard || o.logCSV):
		return errors.New("-check writes nothing and does not train: -out, -checkpoint, -debug, -monitor, -live, -patience, -tensorboard and -log-csv have no meaning with it")
	case o.check && (o.given["dist"] || o.given["zero"] || o.given["dist-order"]):
		return errors.New("-check looks at one pass of one process: -dist, -dist-order and -zero have no meaning with it")
	case o.checkNCCL() != nil:
		return o.checkNCCL()
	case o.given["fresh"] && o.weights == "":
		return errors.New("-fresh needs -weights: without them every layer starts anew")
	case o.dataInit > 0 && o.weights != "" && !o.given["fresh"]:
		return errors.New("-data-init has nothing to initialise with -weights alone: -fresh names layers that begin anew")
	case o.mode == finding && o.find == "":
		return errors.New("-lr-find needs a file for its picture, such as out.png")
	case o.mode == finding && o.given["iters"] && o.iters < 2:
		return errors.New("-iters must be at least 2 with -lr-find")
	case o.mode == replaying && o.replay == "":
		return errors.New("-replay needs a file, such as runs/NAME/diverged.safetensors")
	case o.mode == resuming && o.resume == "":
		return errors.New("-resume needs the folder of a run")
	}
	return nil
}

// meaningless says why a flag has no place in the mode.
func (o *options) meaningless(e entry) error {
	switch {
	case o.mode == training:
		return fmt.Errorf("-%s needs %v", e.name, e.modes)
	case o.mode == resuming:
		return fmt.Errorf("-resume goes on with the run as it was started: -%s cannot be changed", e.name)
	}
	return fmt.Errorf("-%s has no meaning with %v", e.name, o.mode)
}

// checkValues checks each flag by itself.
func (o *options) checkValues() error {
	for _, c := range []struct {
		name string
		ok   bool
		want string
	}{
		{"winograd", o.winograd == winogradAuto || o.winograd == winogradOff, "auto or off"},
		{"threads", o.threads >= 0, "at least 0"},
		{"batch", o.batch >= 1 && o.batch <= math.MaxInt32, "at least 1 and at most 2,147,483,647"},
		{"accumulate", o.accumulate >= 1 && o.accumulate <= 1e6, "at least 1 and at most 1,000,000"},
		{"epochs", o.epochs >= 1 && o.epochs <= 1e6, "at least 1 and at most 1,000,000"},
		{"iters", o.iters >= 1 && o.iters <= math.MaxInt32 || !o.given["iters"], "at least 1 and at most 2,147,483,647"},
		{"data-init", o.dataInit == 0 || o.dataInit >= 2 && o.dataInit <= math.MaxInt32, "at least 2 and at most 2,147,483,647, or 0 for none"},
		{"lr", o.rate > 0 && finite(o.rate), "above 0"},
		{"beta1", o.beta1 >= 0 && o.beta1 < 1, "at least 0 and below 1"},
		{"beta2", o.beta2 >= 0 && o.beta2 < 1, "at least 0 and below 1"},
		{"epsilon", o.epsilon > 0 && finite(o.epsilon) || !o.given["epsilon"], "above 0"},
		{"trust", o.trust > 0 && finite(o.trust) || !o.given["trust"], "above 0"},
		{"momentum", o.momentum >= 0 && o.momentum < 1, "at least 0 and below 1"},
		{"lr-end", o.rateEnd >= 0 && finite(o.rateEnd), "at least 0"},
		{"warmup", o.warmup >= 0 && o.warmup <= math.MaxInt32, "at least 0 and at most 2,147,483,647"},
		{"lr-per", o.lrPer >= 1 && o.lrPer <= math.MaxInt32 || !o.given["lr-per"], "at least 1 and at most 2,147,483,647"},
		{"dist", slices.Contains(distModes, o.dist), strings.Join(distModes[1:], ", ") + ", or not given"},
		{"dist-order", o.distOrder == orderPlain || o.distOrder == orderFixed, "plain or fixed"},
		{"momentum-end", o.momentumEnd >= 0 && o.momentumEnd < 1, "at least 0 and below 1"},
		{"decay", o.decay >= 0 && finite(o.decay), "at least 0"},
		{"clip", o.clip >= 0 && finite(o.clip), "at least 0"},
		{"ema", o.ema >= 0 && o.ema < 1, "at least 0 and below 1"},
		{"swa", o.swa >= 0 && o.swa <= math.MaxInt32, "at least 0 and at most 2,147,483,647"},
		{"log-every", o.logEvery >= 1, "at least 1"},
		{"patience", o.patience >= 0, "at least 0"},
		{"debug", o.debug >= 0, "at least 0"},
		{"preview", o.preview >= 1 && o.preview <= 1000 || !o.given["preview"], "at least 1 and at most 1,000"},
	} {
		if !c.ok {
			return fmt.Errorf("-%s must be %s", c.name, c.want)
		}
	}
	if o.nesterov && o.momentum == 0 {
		return errors.New("-nesterov needs a -momentum above 0")
	}
	return nil
}

// finite reports whether x is a number of float32's range.
func finite(x float64) bool { return x <= math.MaxFloat32 }

// interval is a flag of iterations or of time; the zero interval is an epoch.
type interval struct {
	iterations int
	time       time.Duration
}

// Set implements flag.Value.
func (i *interval) Set(text string) error {
	*i = interval{}
	n, err := strconv.Atoi(text)
	if err == nil {
		i.iterations = n
	} else {
		i.time, err = time.ParseDuration(text)
	}
	if err != nil || n < 0 || i.time < 0 || *i == (interval{}) {
		return errors.New("it is a number of iterations, such as 500, or a time, such as 10m")
	}
	return nil
}

// String implements flag.Value.
func (i *interval) String() string {
	switch {
	case i.iterations > 0:
		return strconv.Itoa(i.iterations)
	case i.time > 0:
		return i.time.String()
	}
	return ""
}
