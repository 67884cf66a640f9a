package pytorch

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/internal/printable"
)

// fit reads the weights into the network of the options, or into that of torchvision which
// they belong to, or leaves them as they are. content is all of the file.
func fit(m *formats.Model, w *weights, content io.Reader, o formats.Options) error {
	if len(w.names) == 0 {
		return errNoTensors
	}
	all := w.clone()
	w.rename()
	if n := w.forgetBatches(); n > 0 {
		w.facts = append(w.facts, fmt.Sprintf("%d BatchNorms count their batches (%s), which only an average without momentum needs: left out", n, batches))
	}
	if o.Network != nil {
		return intoGiven(m, w, o.Network)
	}
	for _, v := range w.withoutPrefix() {
		ok, err := intoTorchvision(m, v, content, o.Input)
		if ok || err != nil {
			return err
		}
	}
	m.Weights = all.values
	m.Facts, m.Lost = append(m.Facts, all.facts...), append(m.Lost, all.lost...)
	m.Facts = append(m.Facts, "the names and shapes are of no network of torchvision that hubel knows: these are weights alone, which a network has to be given for")
	return nil
}

// oldDense is how names in DenseNets were before a dot in a module's name was forbidden. The
// files that torchvision gives out still have them.
var oldDense = regexp.MustCompile(`^(.*denselayer\d+\.(?:norm|conv))\.([12]\.(?:weight|bias|running_mean|running_var|num_batches_tracked))$`)

// rename gives old names their new form.
func (w *weights) rename() {
	for i, name := range w.names {
		if parts := oldDense.FindStringSubmatch(name); parts != nil && w.values[parts[1]+parts[2]] == nil {
			w.names[i] = parts[1] + parts[2]
			w.values[w.names[i]] = w.values[name]
			delete(w.values, name)
		}
	}
}

// forgetBatches drops num_batches_tracked of BatchNorms, and counts them.
func (w *weights) forgetBatches() (n int) {
	kept := w.names[:0:0]
	for _, name := range w.names {
		module, own := split(name)
		if own == batches && w.values[join(module, runningMean)] != nil {
			delete(w.values, name)
			n++
			continue
		}
		kept = append(kept, name)
	}
	w.names = kept
	return n
}

// prefixes are the modules that others are wrapped in: by DataParallel, torch.compile, and
// training loops such as Lightning.
var prefixes = []string{"module.", "_orig_mod.", "model.", "net.", "network."}

// withoutPrefix are the weights as they are, then without each of the usual prefixes: if
// only some have it, the others are lost.
func (w *weights) withoutPrefix() []*weights {
	list := []*weights{w}
	for i := 0; i < len(list) && i < 2*len(prefixes); i++ {
		for _, prefix := range prefixes {
			if v := list[i].cut(prefix); v != nil {
				list = append(list, v)
			}
		}
	}
	return list
}

// cut is the weights whose names begin with a prefix, without it, or nil if there are none.
func (w *weights) cut(prefix string) *weights {
	v := &weights{values: map[string]*dense{}, places: w.places, unordered: w.unordered, lost: slices.Clone(w.lost)}
	v.facts = append(slices.Clone(w.facts), fmt.Sprintf("names are read without the prefix %q", prefix))
	for _, name := range w.names {
		if short, ok := strings.CutPrefix(name, prefix); ok {
			v.names = append(v.names, short)
			v.values[short] = w.values[name]
		} else {
			v.lost = append(v.lost, printable.Name(name)+": it has not the prefix that the network's have")
		}
	}
	if len(v.names) == 0 {
		return nil
	}
	return v
}
