package devicetest

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

// The maps of cases: the sum of a product and another tensor, and then what of it lies
// between two numbers. The other order gives something else.
var (
	addOther = expr.MustNew(expr.Add(expr.Input(0, expr.Whole), expr.Input(1, expr.Whole)))
	inBounds = expr.MustNew(expr.Min(expr.Max(expr.Input(0, expr.Whole), expr.Const(-0.5)), expr.Const(1.5)))
)

// withMaps is a forward case, whose result is its first argument, with maps in its epilogue.
func (k Case) withMaps() Case {
	k.Name += " maps"
	k.args = append(k.args, input("other", k.args[0].shape, uniform))
	other := len(k.args) - 1
	k.maps = func(b *Bound) []device.EpilogueMap {
		return []device.EpilogueMap{
			{Program: addOther, In: []device.Tensor{b.t[other], b.t[0]}},
			{Program: inBounds, In: []device.Tensor{b.t[0]}},
		}
	}
	return k
}

// epilogueName is what a case says of its bias and activation.
func epilogueName(bias bool, a device.Activation) string {
	name := ""
	if bias {
		name += " bias"
	}
	if a.On {
		name += " " + a.Op.String()
	}
	return name
}
