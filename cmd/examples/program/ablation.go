package program

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/atomicfile"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/report"
	"github.com/hubel-go/hubel/results"
)

// ablationBatch is the batch of its trainings.
const ablationBatch = 32

// ablationSet is what an ablation is trained on, and how.
type ablationSet struct {
	flags      []string // that say what the data is
	shape      []int    // of an image
	classes    int
	whole      string // -augment without chance, if the set needs one
	random     string // with chance
	epochs     int
	thresholds []float64 // training errors that the rows are timed to
}

// ablationPart is one row: the base network and training, without some parts of AlexNet.
type ablationPart struct {
	name string

	tanh      bool // in place of ReLUs
	noNorm    bool // no local response normalisation
	apart     bool // pooling of 2/2, not 3/2
	noDropout bool
	noAugment bool
	noDecay   bool // no weight decay
}

// ablationParts are the base, it without one part at a time, and then with ReLUs and with tanh
// alone: the paper compared these two without any regularisation.
var ablationParts = []ablationPart{
	{name: "base"},
	{name: "tanh", tanh: true},
	{name: "no-lrn", noNorm: true},
	{name: "no-overlap", apart: true},
	{name: "no-dropout", noDropout: true},
	{name: "no-augment", noAugment: true},
	{name: "plain", noNorm: true, noDropout: true, noAugment: true, noDecay: true},
	{name: "plain-tanh", tanh: true, noNorm: true, noDropout: true, noAugment: true, noDecay: true},
}

// ablation trains a small AlexNet without some of its parts (Krizhevsky et al. 2012, sections 3
// and 4): ReLUs, local response normalisation, overlapping pooling, dropout and augmentation.
func ablation(s *study) error {
	set, err := s.ablationSet()
	if err != nil {
		return err
	}
	epochs := s.epochsOr(set.epochs)
	var rows []training
	for _, p := range ablationParts {
		file := filepath.Join(s.out, p.name+".json")
		if err := writeNetwork(file, p.network(set.shape, set.classes)); err != nil {
			return err
		}
		row := training{name: p.name, flags: append([]string{"-net", file}, set.flags...)}
		row.flags = append(row.flags, "-preprocess", "mean,std", "-epochs", fmt.Sprint(epochs), "-batch", fmt.Sprint(ablationBatch),
			"-lr", "0.02", "-lr-policy", "cosine", "-log-every", "1")
		augment := set.random
		if p.noAugment {
			augment = set.whole
		}
		if augment != "" {
			row.flags = append(row.flags, "-augment", augment)
		}
		if p.noDecay {
			row.flags = append(row.flags, "-decay", "0")
		}
		rows = append(rows, row)
	}
	done, err := s.trainAll(rows...)
	if err != nil {
		return err
	}
	curves := filepath.Join(s.out, "curves.png")
	if err := report.Runs(curves, "ablation", results.Metric{Name: accuracy, Share: true}, firstSeeds(done)); err != nil {
		return err
	}
	columns := []column{trainErrorColumn(), errorColumn()}
	for _, t := range set.thresholds {
		columns = append(columns, epochsColumn(t), secondsColumn(t))
	}
	if err := s.table(done, columns...); err != nil {
		return err
	}
	fmt.Fprintf(s.stdout, "\nErrors are those of epoch %d, and epochs and seconds those to a training error; in training with dropout and augmentation, where the row has them. The networks are %s, the curves of seed 1 %s.\n",
		epochs, filepath.Join(s.out, "*.json"), curves)
	return nil
}

// ablationSet is photographs if there is -data, and otherwise Fashion-MNIST. Without -val a
// third of the photographs is enough to train: of fewer pictures a network sees each more
// often in the same time, and overfitting shows.
func (s *study) ablationSet() (*ablationSet, error) {
	if s.data == "" {
		if s.val != "" {
			return nil, errors.New("-val needs -data")
		}
		return &ablationSet{flags: []string{"-data", "fashion-mnist"}, shape: []int{1, 28, 28}, classes: 10, random: "pad=2,crop=28,flip", epochs: 3, thresholds: []float64{0.2, 0.15}}, nil
	}
	files, err := data.OpenFiles(s.data)
	if err != nil {
		return nil, fmt.Errorf("-data: %w", err)
	}
	flags := []string{"-data", s.data, "-split", "0.15,0.5"}
	if s.val != "" {
		flags = []string{"-data", s.data, "-val", s.val}
	}
	const whole = "resize=32x32"
	return &ablationSet{flags: flags, shape: []int{3, 32, 32}, classes: len(files.Classes()), whole: whole, random: whole + ",pad=3,crop=32,flip", epochs: 10, thresholds: []float64{0.5, 0.25}}, nil
}

// network is the network of a row, for images of a shape. Of AlexNet it has three of five
// convolutions, one of two hidden layers, and fewer filters; weights begin as He et al. 2015
// say.
//
// The normalisation has k 1, as Caffe's: without it the scale of weak activations stays.
// Alpha is 60 times that of the paper, whose first activations begin 8 times as large, with
// pixels of deviation 60 and weights of 0.01.
func (p ablationPart) network(shape []int, classes int) *graph.Network {
	n := &graph.Network{Name: p.name}
	x, label := n.Image("data", shape...), n.Label("label")
	conv := func(i, filters, kernel, stride int) {
		x = n.Add(fmt.Sprintf("conv%d", i), &layers.Conv{Filters: filters, Kernel: layers.Square(kernel), Stride: layers.Square(stride), Pad: layers.Around(kernel / 2), WeightFiller: layers.MSRA()}, x)
	}
	activate := func(i int) {
		name, op := "relu", device.ReLU
		if p.tanh {
			name, op = "tanh", device.Tanh
		}
		x = n.Add(fmt.Sprintf("%s%d", name, i), &layers.Unary{Op: op}, x)
	}
	shrink := func(i int) {
		if !p.noNorm {
			x = n.Add(fmt.Sprintf("norm%d", i), &layers.LRN{Alpha: new(float32(0.006)), K: 1}, x)
		}
		pool := &layers.Pool{Op: device.MaxPool, Window: layers.Square(3), Stride: layers.Square(2), Ceil: true}
		if p.apart { // the output has the same size
			pool.Window, pool.Ceil = layers.Square(2), false
		}
		x = n.Add(fmt.Sprintf("pool%d", i), pool, x)
	}
	conv(1, 32, 5, 2)
	activate(1)
	shrink(1)
	conv(2, 64, 3, 1)
	activate(2)
	shrink(2)
	conv(3, 64, 3, 1)
	activate(3)
	x = n.Add("fc4", &layers.Dense{Out: 256, WeightFiller: layers.MSRA()}, x)
	activate(4)
	if !p.noDropout {
		x = n.Add("drop4", &layers.Dropout{P: 0.5}, x)
	}
	x = n.Add("fc5", &layers.Dense{Out: classes, WeightFiller: layers.Gaussian(0.01)}, x)
	n.Outputs = []string{n.Add("prob", &layers.Softmax{}, x)}
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	n.Metric(n.Add(accuracy, &layers.Accuracy{}, x, label), graph.Higher)
	return n
}

// writeNetwork writes a network for -net. A file that has another network is kept, and an
// error.
func writeNetwork(path string, n *graph.Network) error {
	text, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	switch was, err := os.ReadFile(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case bytes.Equal(was, text):
		return nil
	default:
		return fmt.Errorf("%s has another network than this example: train it with bin/train -net %s, and choose another folder with -out here", path, command.Quoted(path))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// trainError is the share of images that batches had wrong, the mean over the lines of a log
// after one epoch and up to another.
func trainError(log []results.LogLine, from, to float64) (share float64, ok bool) {
	sum, n := 0.0, 0
	for _, l := range log {
		if right, has := l.Train.Get(accuracy); has && l.Epoch > from && l.Epoch <= to {
			sum += 1 - right
			n++
		}
	}
	return sum / float64(max(n, 1)), n > 0
}

// reached is the first line of a log at which the training error of the half epoch before
// is not above a threshold.
func reached(log []results.LogLine, threshold float64) (at int, ok bool) {
	const window = 0.5
	for i, l := range log {
		if l.Epoch < window {
			continue
		}
		if share, has := trainError(log[:i+1], l.Epoch-window, l.Epoch); has && share <= threshold {
			return i, true
		}
	}
	return 0, false
}

// trainErrorColumn is the training error of the last epoch, in percent.
func trainErrorColumn() column {
	return column{"training error, %", "%.2f", func(o outcome) (float64, bool) {
		l, _ := o.last()
		share, ok := trainError(o.log, l.Epoch-1, l.Epoch)
		return 100 * share, ok
	}}
}

// epochsColumn is how many epochs it took to a training error.
func epochsColumn(threshold float64) column {
	return column{fmt.Sprintf("epochs to %.0f %%", 100*threshold), "%.2f", func(o outcome) (float64, bool) {
		i, ok := reached(o.log, threshold)
		if !ok {
			return 0, false
		}
		return o.log[i].Epoch, true
	}}
}

// secondsColumn is the time for that, without tests.
func secondsColumn(threshold float64) column {
	return column{fmt.Sprintf("seconds to %.0f %%", 100*threshold), "%.0f", func(o outcome) (seconds float64, ok bool) {
		i, ok := reached(o.log, threshold)
		if !ok {
			return 0, false
		}
		before := 0
		for _, l := range o.log[:i+1] {
			if l.ImagesPerSecond > 0 {
				seconds += float64((l.Iteration-before)*ablationBatch) / l.ImagesPerSecond
			}
			before = l.Iteration
		}
		return seconds, true
	}}
}
