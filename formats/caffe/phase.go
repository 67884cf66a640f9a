package caffe

import (
	"fmt"
	"slices"
)

// netState is what rules of layers are held against.
type netState struct {
	phase  string // TRAIN or TEST
	level  int64
	stages []string
}

// meets reports whether a state meets a rule.
func (s netState) meets(rule *message) bool {
	if phase := rule.enum("phase", ""); phase != "" && phase != s.phase {
		return false
	}
	if f := rule.get("min_level"); f != nil && s.level < f.integer {
		return false
	}
	if f := rule.get("max_level"); f != nil && s.level > f.integer {
		return false
	}
	for _, stage := range rule.texts("stage") {
		if !slices.Contains(s.stages, stage) {
			return false
		}
	}
	return !slices.ContainsFunc(rule.texts("not_stage"), func(stage string) bool { return slices.Contains(s.stages, stage) })
}

// has reports whether a layer belongs to a network in a state.
func (s netState) has(l *layer) bool {
	if len(l.include) > 0 {
		return slices.ContainsFunc(l.include, s.meets)
	}
	return !slices.ContainsFunc(l.exclude, s.meets)
}

// states are those of training and of tests.
func (n *network) states() (train, test netState) {
	train = netState{"TRAIN", n.state.int("level", 0), n.state.texts("stage")}
	test = train
	test.phase = "TEST"
	return train, test
}

// phase keeps the layers of one state, as Caffe's FilterNet does.
func (n *network) phase(s netState) map[*layer]bool {
	kept := map[*layer]bool{}
	for _, l := range n.layers {
		if n.binary || s.has(l) {
			kept[l] = true
		}
	}
	return kept
}

// merged is the network of both phases. They may differ in their data layers, of which those
// of the training remain, in layers that only one of them has, such as accuracies, and in
// batch norms, which know the phase themselves. facts are lines about layers of neither.
func (n *network) merged() (kept []*layer, facts []string, err error) {
	for _, l := range n.layers {
		if len(l.include) > 0 && len(l.exclude) > 0 {
			return nil, nil, l.fail("it has rules to include it and rules to exclude it; Caffe takes one kind")
		}
	}
	train, test := n.states()
	inTrain, inTest := n.phase(train), n.phase(test)
	makes := map[string]*layer{} // by their tops, the layers that tests lack
	for l := range inTrain {
		if !inTest[l] {
			for _, top := range l.top {
				makes[top] = l
			}
		}
	}
	for _, l := range n.layers {
		if inTrain[l] {
			kept = append(kept, l)
			continue
		}
		if !inTest[l] {
			facts = append(facts, fmt.Sprintf("%v belongs to another stage or level than those of the network, and is left out", l))
			continue
		}
		var other *layer
		for _, top := range l.top {
			if o := makes[top]; o != nil {
				other = o
			}
		}
		switch {
		case other == nil:
			kept = append(kept, l)
		case isData(l) && isData(other):
		case l.typ == "BatchNorm" && other.typ == "BatchNorm" && slices.Equal(l.bottom, other.bottom):
		default:
			return nil, nil, l.fail("the phase TEST has it where TRAIN has %v: hubel has one network for both, and these compute different things; keep one of them", other)
		}
	}
	return kept, facts, nil
}
