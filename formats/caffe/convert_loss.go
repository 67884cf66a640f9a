package caffe

import (
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// lossHead is scores that a loss is of.
type lossHead struct {
	scores  *value // as the loss reads them
	layer   *layer
	softmax bool    // they are a classifier's
	weight  float32 // in what is minimised
	order   int     // in the file
}

// rank orders heads: the one of the largest weight, and of equal ones the last, comes first.
func (h lossHead) rank() int { return int(min(h.weight, 1e3)*1e6) + h.order }

// metric is an accuracy.
type metric struct {
	name string
	topK int
}

// weight is that of the loss in what is minimised, nil where it is 1.
func (l *layer) weight() (*float32, float32, error) {
	if len(l.lossWeight) == 0 || l.lossWeight[0] == 1 {
		return nil, 1, nil
	}
	w := l.lossWeight[0]
	if !(w >= 0) {
		return nil, 0, l.fail("loss_weight %g must not be negative", w)
	}
	return new(w), w, nil
}

// dropLoss says that a loss is not carried over. The network then predicts as in Caffe, and is
// not trained for it.
func (b *builder) dropLoss(l *layer, in []*value, format string, args ...any) ([]value, error) {
	b.lost = append(b.lost, fmt.Sprintf("%v is left out: %s", l, fmt.Sprintf(format, args...)))
	return nil, nil
}

// normalised says what is lost of how a loss is averaged: hubel takes the mean over the samples
// of a batch.
func (b *builder) normalised(l *layer, usual string) {
	p := l.param("loss_param")
	mode := usual
	if p.has("normalize") && !p.bool("normalize", true) {
		mode = "BATCH_SIZE"
	}
	mode = p.enum("normalization", mode)
	switch {
	case mode == "NONE":
		b.lost = append(b.lost, fmt.Sprintf("%v: normalization NONE: hubel takes the mean over the samples, so that the rate is to be multiplied by the batch", l))
	case mode == "VALID" && p.has("ignore_label"):
		b.lost = append(b.lost, fmt.Sprintf("%v: normalization VALID: hubel divides by all samples, also those of the ignored label", l))
	}
}

// scores reads a loss's first bottom as [N,C].
func (b *builder) scores(l *layer, v *value) (*value, error) {
	if v.data != nil {
		return b.image(l, 0, v)
	}
	if v.dtype != device.Float32 {
		return nil, l.fail("its bottom %q holds labels, not scores", l.bottom[0])
	}
	return v, nil
}

// flat is scores [N,C,1,1] as [N,C]; nil if there are several pixels.
func (b *builder) flat(l *layer, x *value) (*value, error) {
	if len(x.shape) == 2 {
		return x, nil
	}
	if len(x.shape) < 2 || product(x.shape[2:]) != 1 {
		return nil, nil
	}
	if b.flats[x.name] == nil { // one for all that read the scores
		y, err := b.one(l, "_flat", &layers.Flatten{}, x)
		if err != nil {
			return nil, err
		}
		b.flats[x.name] = y
	}
	return b.flats[x.name], nil
}

// classified reads the scores and the label of a loss or an accuracy. ok is false where hubel
// has no such loss; then it is said to be lost.
func (b *builder) classified(l *layer, in []*value) (x, label *value, ok bool, err error) {
	if x, err = b.scores(l, in[0]); err != nil {
		return nil, nil, false, err
	}
	axis := l.param("softmax_param").int("axis", l.param("accuracy_param").int("axis", 1))
	if axis != 1 && axis != 1-int64(len(x.shape)) {
		_, err := b.dropLoss(l, in, "it is along axis %d; hubel's are along the channels, axis 1", axis)
		return nil, nil, false, err
	}
	if in[1].data == nil && in[1].dtype != device.Int32 {
		_, err := b.dropLoss(l, in, "its labels %q are made by layers: hubel's come from a data set", l.bottom[1])
		return nil, nil, false, err
	}
	flat, err := b.flat(l, x)
	if err != nil {
		return nil, nil, false, err
	}
	if flat == nil {
		_, err := b.dropLoss(l, in, "its scores are of pixels, %v: hubel's losses of classes have one label for each sample", []int(x.shape[1:]))
		return nil, nil, false, err
	}
	return flat, b.label(in[1]), true, nil
}

func softmaxLoss(b *builder, l *layer, in []*value) ([]value, error) {
	if len(in) > 2 {
		return b.dropLoss(l, in, "it weighs pixels by a third bottom")
	}
	x, label, ok, err := b.classified(l, in)
	if err != nil || !ok {
		return nil, err
	}
	b.normalised(l, "VALID")
	loss := &layers.SoftmaxLoss{}
	if f := l.param("loss_param").get("ignore_label"); f != nil {
		loss.IgnoreLabel = new(int32(f.integer))
	}
	var weight float32
	if loss.Weight, weight, err = l.weight(); err != nil {
		return nil, err
	}
	b.losses = append(b.losses, lossHead{x, l, true, weight, len(b.losses)})
	out, err := b.node(l, "", loss, x, label)
	if err != nil || len(l.top) < 2 {
		return out, err
	}
	prob, err := b.one(l, "_prob", &layers.Softmax{}, x)
	if err != nil {
		return nil, err
	}
	return append(out, *prob), nil
}

// multinomialLoss is of probabilities. Those that a softmax makes are held against the label
// as scores, which is the same loss.
func multinomialLoss(b *builder, l *layer, in []*value) ([]value, error) {
	p := in[0]
	if p.data != nil || p.node < 0 {
		return b.dropLoss(l, in, "it is of probabilities that no Softmax makes")
	}
	if _, ok := b.net.Nodes[p.node].Layer.(*layers.Softmax); !ok {
		return b.dropLoss(l, in, "it is of probabilities that no Softmax makes")
	}
	scores := *p
	scores.name, scores.node = b.net.Nodes[p.node].In[0], -1
	return softmaxLoss(b, l, []*value{&scores, in[1]})
}

// regression reads a prediction and its target, of one shape.
func (b *builder) regression(l *layer, in []*value) (x, target *value, err error) {
	first, second := in[0], in[1]
	if first.data != nil && second.data == nil { // the other way round is the same
		first, second = second, first
	}
	if x, err = b.scores(l, first); err != nil {
		return nil, nil, err
	}
	if second.data == nil {
		if device.Elements(x.shape) != device.Elements(second.shape) || second.dtype != device.Float32 {
			return nil, nil, l.fail("its bottoms are %v and %v of a sample", []int(x.shape[1:]), []int(second.shape[1:]))
		}
		second, err = b.reshaped(l, "_target", second, x.shape[1:]...)
		return x, second, err
	}
	if len(x.shape) != 2 {
		if x, err = b.one(l, "_flat", &layers.Flatten{}, x); err != nil {
			return nil, nil, err
		}
	}
	target, err = b.target(l, second, x.shape[1])
	return x, target, err
}

func (b *builder) pair(l *layer, in []*value, make func(weight *float32) layers.Layer) ([]value, error) {
	weight, w, err := l.weight()
	if err != nil {
		return nil, err
	}
	x, target, err := b.regression(l, in)
	if err != nil {
		return nil, err
	}
	b.losses = append(b.losses, lossHead{x, l, false, w, len(b.losses)})
	return b.node(l, "", make(weight), x, target)
}

func sigmoidLoss(b *builder, l *layer, in []*value) ([]value, error) {
	if l.param("loss_param").has("ignore_label") {
		return b.dropLoss(l, in, "it ignores a label, which hubel's logistic-loss does not")
	}
	usual := "BATCH_SIZE"
	if l.param("loss_param").bool("normalize", false) {
		usual = "VALID"
	}
	x, err := b.scores(l, in[0])
	if err != nil {
		return nil, err
	}
	mode := l.param("loss_param").enum("normalization", usual)
	b.normalised(l, "BATCH_SIZE")
	return b.pair(l, in, func(w *float32) layers.Layer {
		if n := product(x.shape[1:]); n > 0 && (mode == "FULL" || mode == "VALID") { // it divides by the elements of the samples too
			whole := float32(1)
			if w != nil {
				whole = *w
			}
			w = new(whole / float32(n))
		}
		return &layers.LogisticLoss{Weight: w}
	})
}

func euclideanLoss(b *builder, l *layer, in []*value) ([]value, error) {
	return b.pair(l, in, func(w *float32) layers.Layer { return &layers.L2Loss{Weight: w} })
}

func hingeLoss(b *builder, l *layer, in []*value) ([]value, error) {
	x, label, ok, err := b.classified(l, in)
	if err != nil || !ok {
		return nil, err
	}
	loss := &layers.HingeLoss{Margin: 1, Norm: 1}
	if l.param("hinge_loss_param").enum("norm", "L1") == "L2" {
		loss.Norm = 2
	}
	var weight float32
	if loss.Weight, weight, err = l.weight(); err != nil {
		return nil, err
	}
	b.losses = append(b.losses, lossHead{x, l, false, weight, len(b.losses)})
	return b.node(l, "", loss, x, label)
}

func contrastiveLoss(b *builder, l *layer, in []*value) ([]value, error) {
	p := l.param("contrastive_loss_param")
	if p.bool("legacy_version", false) {
		return b.dropLoss(l, in, "legacy_version: hubel's contrastive-loss is that of the paper, with the square of margin - d")
	}
	if in[2].data == nil && in[2].dtype != device.Int32 {
		return b.dropLoss(l, in, "its labels %q are made by layers: hubel's come from a data set", l.bottom[2])
	}
	var x [2]*value
	for i := range x {
		var err error
		if x[i], err = b.scores(l, in[i]); err != nil {
			return nil, err
		}
	}
	weight, w, err := l.weight()
	if err != nil {
		return nil, err
	}
	b.losses = append(b.losses, lossHead{x[0], l, false, w, len(b.losses)}, lossHead{x[1], l, false, w, len(b.losses)})
	return b.node(l, "", &layers.ContrastiveLoss{Margin: p.float("margin", 1), Weight: weight}, x[0], x[1], b.label(in[2]))
}

// accuracy is a metric. Its second top, the accuracy of each class, hubel's tests have anyway.
func accuracy(b *builder, l *layer, in []*value) ([]value, error) {
	p := l.param("accuracy_param")
	if p.has("ignore_label") {
		return b.dropLoss(l, in, "it ignores a label, which hubel's accuracy does not")
	}
	k, err := l.number("top_k", p.int("top_k", 1))
	if err != nil {
		return nil, err
	}
	x, label, ok, err := b.classified(l, in)
	if err != nil || !ok {
		return nil, err
	}
	a := &layers.Accuracy{TopK: k}
	if k == 1 {
		a.TopK = 0
	}
	out, err := b.node(l, "", a, x, label)
	if err == nil {
		b.accuracies = append(b.accuracies, metric{out[0].name, k})
	}
	return out, err
}

// metrics puts the accuracies in order. The first one decides which weights are the best: the
// last one in the file that looks at one class alone.
func (b *builder) metrics() {
	first := -1
	for i, m := range b.accuracies {
		if m.topK == 1 {
			first = i
		}
	}
	if first > 0 {
		m := b.accuracies[first]
		b.accuracies = slices.Insert(slices.Delete(b.accuracies, first, first+1), 0, m)
	}
	for _, m := range b.accuracies {
		b.net.Metric(m.name, graph.Higher)
	}
}
