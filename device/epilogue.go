package device

import (
	"fmt"

	"github.com/hubel-go/hubel/expr"
)

// Activation is an element-wise function that a product may apply before it stores a
// result.
type Activation struct {
	Unary
	On bool // the zero Activation is the identity
}

// Epilogue is what becomes of each element of a product: first the bias is added, then
// the activation is applied, and then the maps run, in their order.
type Epilogue struct {
	Bias       Tensor // [K]; may be absent
	Activation Activation
	Maps       []EpilogueMap
}

// EpilogueMap is the call Map(Program, v, y, In, Overwrite, Random{}) after a product has
// made y, with any view of y. So its result has the same bits as that of Map. A device
// may run it on a part of y as soon as that part is computed, while it is in a cache.
//
// The program has one output, draws no random numbers and asks for no index. All inputs
// that it uses are of float32 and have y's shape. An input that is y is the result so far:
// of the product or of the map before. No other input shares memory with y.
type EpilogueMap struct {
	Program *expr.Program
	In      []Tensor // of the program
}

// InEpilogue reports whether a program may be that of an EpilogueMap.
func InEpilogue(p *expr.Program) bool {
	if p.Outputs() != 1 || p.Draws() > 0 || p.Indexes() {
		return false
	}
	for i, axes := range p.Inputs() {
		if p.Uses(i) && (axes != expr.Whole || p.Integer(i)) {
			return false
		}
	}
	return true
}

// View is y as a map sees it: all elements are alike.
func (*EpilogueMap) View(y Tensor) View { return View{N: 1, C: 1, Inner: y.Len()} }

// Check says why the map cannot run on y, if that is so.
func (m *EpilogueMap) Check(y Tensor) error {
	if m.Program != nil && !InEpilogue(m.Program) {
		return fmt.Errorf("the program %v is not for an epilogue: it has one output, of whole inputs of float32 alone", m.Program)
	}
	return checkViewed(m.Program, m.View(y), expr.Whole, []Tensor{y}, m.In)
}
