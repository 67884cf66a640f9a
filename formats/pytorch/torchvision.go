package pytorch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/models"
)

// intoTorchvision reads weights into the network of torchvision that has all their names and
// shapes. If there is none it is false, with a fact about one that has the names alone.
func intoTorchvision(m *formats.Model, w *weights, content io.Reader, input []int) (bool, error) {
	for _, f := range families {
		classes, shape, ok := w.head(f.last, input)
		if !ok {
			continue
		}
		o := models.Options{Classes: classes, Shape: shape}
		for _, name := range f.networks {
			n, err := models.Torchvision(name, o)
			if err != nil {
				return false, err
			}
			modules := f.modules(n)
			if !w.within(modules) { // without planning the network
				continue
			}
			t, err := nameModules(n, modules)
			if err != nil {
				return false, err
			}
			if different, ok := w.compare(t); ok {
				if different != "" {
					m.Facts = append(m.Facts, fmt.Sprintf("the names are those of torchvision's %s, but %s", name, different))
					continue
				}
				return true, w.setTorchvision(m, t, name, content)
			}
		}
		if strings.HasPrefix(f.networks[0], "densenet") {
			if t := w.denseNet(o); t != nil {
				return true, w.setTorchvision(m, t, t.network.Name, content)
			}
		}
	}
	return false, nil
}

// side is the height and width of torchvision's images.
const side = 224

// head finds the number of classes, and the shape of images, from the last and the first
// weight.
func (w *weights) head(last string, input []int) (classes int, shape []int, ok bool) {
	x := w.values[join(last, "weight")]
	if x == nil || x.Dims() < 2 || x.Shape()[0] < 1 {
		return 0, nil, false
	}
	for _, name := range w.names {
		first := w.values[name]
		if first.Dims() != 4 || first.Shape()[1] < 1 {
			continue
		}
		shape = []int{first.Shape()[1], side, side}
		if len(input) == 3 {
			shape = slices.Clone(input)
		}
		return x.Shape()[0], shape, true
	}
	return 0, nil, false
}

// within reports whether each tensor is of one of the modules of layers.
func (w *weights) within(modules map[string]string) bool {
	known := map[string]bool{}
	for _, module := range modules {
		known[module] = true
	}
	return !slices.ContainsFunc(w.modules(), func(module string) bool { return !known[module] })
}

// compare reports whether the names are those of a network, and what shape is different.
func (w *weights) compare(t *named) (different string, ok bool) {
	count := 0
	for _, n := range t.nodes {
		for _, s := range n.slots {
			name := join(t.modules[n.name], s.name)
			x := w.values[name]
			if x == nil {
				return "", false
			}
			count++
			if different == "" && !slices.Equal([]int(x.Shape()), s.shape) {
				different = fmt.Sprintf("%s has the shape %v and not %v", name, []int(x.Shape()), s.shape)
			}
		}
	}
	return different, count == len(w.names)
}

// setTorchvision makes the model.
func (w *weights) setTorchvision(m *formats.Model, t *named, name string, content io.Reader) error {
	left, into := w.clone(), map[string]*dense{}
	for _, n := range t.nodes {
		if err := left.take(into, n, t.modules[n.name]); err != nil {
			return err
		}
	}
	m.Network, m.Weights = t.network, into
	m.Facts = append(m.Facts, left.facts...)
	m.Facts = append(m.Facts, fmt.Sprintf("all names and shapes are those of torchvision's %s", name))
	m.Lost = append(m.Lost, left.leftOver()...)
	image := t.network.Inputs[0].Shape
	if image[0] != 3 {
		m.Facts = append(m.Facts, fmt.Sprintf("preprocessing is not in the file, and torchvision's is for 3 channels, not %d: there is none", image[0]))
		return nil
	}
	mean, deviation := []float64{0.485, 0.456, 0.406}, []float64{0.229, 0.224, 0.225}
	whose, remark := "torchvision's own weights", ""
	if strings.HasPrefix(name, "googlenet") {
		own, err := isTorchvisionsGoogLeNet(content)
		if err != nil {
			return err
		}
		if own { // made with transform_input, which undoes the above
			mean, deviation = []float64{0.5, 0.5, 0.5}, []float64{0.5, 0.5, 0.5}
			whose = "torchvision's own GoogLeNet, which transforms its input"
		} else {
			remark = "; a network made with transform_input wants mean 0.5 and deviation 0.5"
		}
	}
	if err := preprocess(m, image, mean, deviation); err != nil {
		return err
	}
	m.Facts = append(m.Facts, fmt.Sprintf("preprocessing is not in the file; it is that of %s: %v, pixels from 0 to 1, mean %v, deviation %v%s",
		whose, m.Preprocess.Augment, mean, deviation, remark))
	return nil
}

// preprocess sets the preprocessing of torchvision: of pixels from 0 to 1. Images of other
// sizes are resized in proportion.
func preprocess(m *formats.Model, image []int, mean, deviation []float64) (err error) {
	size := strconv.Itoa(image[1])
	if image[1] != image[2] {
		size += "x" + strconv.Itoa(image[2])
	}
	p := &m.Preprocess
	p.Augment, err = data.ParseAugment(fmt.Sprintf("resize=%d,crop=%s", (max(image[1], image[2])*256+side/2)/side, size))
	p.Scale = 1.0 / 255
	for c := range mean {
		p.Mean = append(p.Mean, float32(255*mean[c]))
		p.Deviation = append(p.Deviation, float32(deviation[c]))
	}
	return err
}

// googLeNetHash begins the SHA-256 of torchvision's own GoogLeNet: it is in the file's name
// there, googlenet-1378be20.pth.
const googLeNetHash = "1378be20"

func isTorchvisionsGoogLeNet(content io.Reader) (bool, error) {
	h := sha256.New()
	if _, err := io.Copy(h, content); err != nil {
		return false, err
	}
	return strings.HasPrefix(hex.EncodeToString(h.Sum(nil)), googLeNetHash), nil
}

// The bounds of DenseNets of other sizes.
const (
	mostBlocks     = 8
	mostLayers     = 512 // of a block
	mostBottleneck = 64
)

var denseLayer = regexp.MustCompile(`^features\.denseblock(\d)\.denselayer(\d{1,3})\.conv2\.weight$`)

// denseNet is a DenseNet of another size, as the names and shapes of its layers tell it, or
// nil.
func (w *weights) denseNet(o models.Options) *named {
	rows := func(name string) int {
		if x := w.values[name]; x != nil && x.Dims() == 4 {
			return x.Shape()[0]
		}
		return 0
	}
	var d models.DenseNet
	d.Initial = rows("features.conv0.weight")
	d.Growth = rows("features.denseblock1.denselayer1.conv2.weight")
	if d.Initial == 0 || d.Growth == 0 {
		return nil
	}
	d.Bottleneck = rows("features.denseblock1.denselayer1.conv1.weight") / d.Growth
	for _, name := range w.names {
		parts := denseLayer.FindStringSubmatch(name)
		if parts == nil {
			continue
		}
		block, _ := strconv.Atoi(parts[1])
		layer, _ := strconv.Atoi(parts[2])
		if block < 1 || block > mostBlocks || layer > mostLayers {
			return nil
		}
		for len(d.Blocks) < block {
			d.Blocks = append(d.Blocks, 0)
		}
		d.Blocks[block-1] = max(d.Blocks[block-1], layer)
	}
	if d.Bottleneck < 1 || d.Bottleneck > mostBottleneck {
		return nil
	}
	n, err := d.Network("densenet", o)
	if err != nil {
		return nil
	}
	t, err := nameModules(n, denseNetModules(n))
	if err != nil {
		return nil
	}
	if different, ok := w.compare(t); !ok || different != "" {
		return nil
	}
	return t
}
