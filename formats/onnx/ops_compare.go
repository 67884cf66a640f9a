package onnx

import (
	"errors"
	"fmt"

	"github.com/hubel-go/hubel/layers"
)

// comparison is an operator that compares, as 1 and 0. The formula has two places.
func comparison(text string) pair {
	return pair{
		computed: formula(fmt.Sprintf(text, "x", "x1")),
		number: func(c float32, left bool) layers.Layer {
			if left {
				return formula(fmt.Sprintf(text, number(c), "x"))()
			}
			return formula(fmt.Sprintf(text, "x", number(c)))()
		},
		constants: func(c []float32, left bool) ([]step, bool) { // the difference with 0
			s := step{bias: each(c, negative), then: formula(fmt.Sprintf(text, "x", "0"))()}
			if left {
				s.weight, s.bias = filled(c, -1), c
			}
			return []step{s}, true
		},
	}
}

var comparisons = map[string]pair{
	"Less":           comparison("select(%s < %s, 1, 0)"),
	"LessOrEqual":    comparison("select(%s <= %s, 1, 0)"),
	"Greater":        comparison("select(%[2]s < %[1]s, 1, 0)"),
	"GreaterOrEqual": comparison("select(%[2]s <= %[1]s, 1, 0)"),
	"Equal":          comparison("select(%s == %s, 1, 0)"),
}

// where reads Where, whose condition is computed. Its other inputs are computed, or numbers.
func where(im *importer, n *node) ([]*value, error) {
	condition, err := n.computed(0)
	if err != nil {
		return nil, err
	}
	if len(n.in) != 3 || n.in[1] == nil || n.in[2] == nil {
		return nil, errors.New("it takes 3 inputs")
	}
	list := []*value{condition}
	var texts [2]string
	for i, v := range n.in[1:] {
		if v.constant == nil {
			texts[i] = fmt.Sprintf("x%d", len(list))
			list = append(list, v)
			continue
		}
		c, ok := castTo(v.constant, typeFloat).uniform()
		if !ok {
			return nil, fmt.Errorf("a constant %v of several numbers is not taken here; one number is", v.shape)
		}
		texts[i] = number(c)
	}
	for i := range list {
		for k := range list[:i] {
			if list[i], list[k], err = im.together(n, list[i], list[k]); err != nil {
				return nil, err
			}
		}
	}
	for i := range list { // the first may have grown since
		if list[i], err = im.expand(n, list[i], list[len(list)-1].sample); err != nil {
			return nil, err
		}
	}
	return im.apply(n, &layers.Formula{Formula: "select(x == 0, " + texts[1] + ", " + texts[0] + ")"}, list...)
}
