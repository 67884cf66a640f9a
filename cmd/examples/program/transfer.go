package program

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/predict"
	"github.com/hubel-go/hubel/solver"
	"github.com/hubel-go/hubel/svm"
)

// fewPictures are those of each class that networks are moved to.
const fewPictures = 20

// transfer moves networks from one half of the classes to the other: with a new last layer;
// with the convolutions alone; or by support vector machines on what a layer makes of
// pictures. All learn from the same few pictures, which differ from seed to seed, and so does
// a network from random weights.
func transfer(s *study) error {
	files, err := data.OpenFiles(s.data)
	if err != nil {
		return fmt.Errorf("-data: %w", err)
	}
	n := len(files.Classes())
	if n < 4 {
		return fmt.Errorf("-data %s has %d classes: from two to two others, it takes 4 or more", s.data, n)
	}
	from, to := fmt.Sprintf("0-%d", n/2-1), fmt.Sprintf("%d-%d", n/2, n-1)
	epochs := func(usual int) []string {
		return []string{"-epochs", fmt.Sprint(s.epochsOr(usual)), "-lr-policy", "cosine"}
	}
	each := []string{"-model", "tiny-vgg", "-data", s.data, "-val", s.val}
	steps := []string{"-augment", "resize=36,rrcrop=32:0.35..1,flip"}
	first := append([]string{"-classes", from, "-batch", "32", "-lr", "0.01"}, epochs(8)...)
	trained := []string{"from random weights", "a new last layer", "convolutions kept, new dense layers"}
	machines := []struct{ name, layer string }{
		{"SVM on the hidden layer", "relu3"},
		{"SVM on the second block", "pool2"},
		{"SVM on the first block", "pool1"},
	}
	rows := make([][]outcome, len(trained)+len(machines))
	right := map[string][]float64{} // of machines, a share for each seed
	for seed := 1; seed <= s.seeds; seed++ {
		source, err := s.train(training{"source", slices.Concat(each, steps, first)}, seed)
		if err != nil {
			return err
		}
		weights := []string{"-weights", filepath.Join(source.dir, solver.WeightsFile)}
		few := append([]string{"-classes", to, "-each", fmt.Sprintf("%d@%d", fewPictures, seed), "-batch", "5"}, epochs(15)...)
		for i, row := range []training{
			{"scratch", slices.Concat(each, steps, few, []string{"-lr", "0.003"})},
			{"finetuned", slices.Concat(each, weights, few, []string{"-fresh", "fc4", "-lr", "0.001"})},
			{"convolutions", slices.Concat(each, weights, few, []string{"-fresh", "fc3,fc4", "-frozen", "conv1_1,conv1_2,conv2_1,conv2_2", "-lr", "0.003"})},
		} {
			o, err := s.train(row, seed)
			if err != nil {
				return err
			}
			o.name = trained[i]
			rows[i] = append(rows[i], o)
		}
		var layers []string
		for _, m := range machines {
			layers = append(layers, m.layer)
		}
		found, err := s.machines(source, to, layers, uint64(seed))
		if err != nil {
			return err
		}
		for i, m := range machines {
			rows[len(trained)+i] = append(rows[len(trained)+i], outcome{name: m.name, seed: seed})
			right[m.name] = append(right[m.name], found[i])
		}
	}
	ofTraining := accuracyColumn()
	if err := s.table(rows, column{ofTraining.title, ofTraining.format, func(o outcome) (float64, bool) {
		if shares, ok := right[o.name]; ok {
			return 100 * shares[o.seed-1], true
		}
		return ofTraining.value(o)
	}}); err != nil {
		return err
	}
	fmt.Fprintf(s.stdout, "\nAll learn from %d pictures of each of the classes %s, and are tested on those of -val. The networks come from the classes %s.\n", fewPictures, to, from)
	return nil
}

// machines trains support vector machines of some classes on the outputs of each of some
// layers of a training's network. It returns the share of the test set that they find, for
// each layer.
func (s *study) machines(source outcome, classes string, layers []string, seed uint64) (right []float64, err error) {
	d, err := device.Open("cpu", device.Options{})
	if err != nil {
		return nil, err
	}
	defer command.Close(d, &err)
	p, err := predict.Open(d, filepath.Join(source.dir, solver.WeightsFile), predict.Options{Features: layers})
	if err != nil {
		return nil, err
	}
	defer command.Close(p, &err)
	spec := data.PhotoSpec{Train: s.data, Val: s.val, Classes: classes, Each: fmt.Sprintf("%d@%d", fewPictures, seed)}
	known := p.Preprocess()
	sets, err := data.OpenPhotos(s.ctx, spec, data.PhotoOptions{Known: &known, CheckOptions: data.CheckOptions{Cache: data.UserCache()}})
	if err != nil {
		return nil, err
	}
	few, err := s.features(p, sets.Train, len(layers))
	if err != nil {
		return nil, err
	}
	test, err := s.features(p, sets.Val, len(layers))
	if err != nil {
		return nil, err
	}
	for i, layer := range layers {
		m, err := svm.Train(s.ctx, few[i], svm.Options{Seed: seed})
		if err != nil {
			return nil, err
		}
		right = append(right, m.Accuracy(test[i]))
		fmt.Fprintf(s.stdout, "support vector machines on %s of %s, %d features: C %.3g\n  %s %.2f %%\n", layer, source.dir, len(m.Weights[0]), m.C, accuracy, 100*right[i])
	}
	return right, nil
}

// features are the outputs of layers for all samples of a set, as a test sees them: a set
// for each layer.
func (s *study) features(p *predict.Predictor, from data.Dataset, layers int) ([]svm.Set, error) {
	sets := make([]svm.Set, layers)
	for i := range sets {
		sets[i].Classes = len(from.Classes())
	}
	const batch = 64
	each := from.Shape().TotalSize()
	pixels := make([]float32, batch*each)
	for at := 0; at < from.Len(); at += batch {
		n := min(batch, from.Len()-at)
		for i := range n {
			label, err := from.Read(pixels[i*each:(i+1)*each], at+i)
			if err != nil {
				return nil, err
			}
			for k := range sets {
				sets[k].Labels = append(sets[k].Labels, int(label))
			}
		}
		found, err := p.Predict(s.ctx, pixels[:n*each])
		if err != nil {
			return nil, err
		}
		for _, y := range found {
			for k, f := range y.Features {
				sets[k].Features = append(sets[k].Features, f...)
			}
		}
	}
	return sets, nil
}
