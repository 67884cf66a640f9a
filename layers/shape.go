package layers

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// maxSize bounds the options that are added to or multiplied with a tensor's
// dimensions, so that no sum or product of them leaves an int: a network may
// come from a file that nobody looked at.
const maxSize = math.MaxInt32

// operand is an input that a layer wants.
type operand struct {
	name  string
	dtype device.DType
}

// The operands that layers have.
var (
	input      = operand{"input", device.Float32}
	scores     = operand{"scores", device.Float32}
	label      = operand{"label", device.Int32}
	prediction = operand{"prediction", device.Float32}
	target     = operand{"target", device.Float32}
)

// expect checks that a layer's inputs are those it wants.
func expect(in []Input, want ...operand) error {
	if len(in) != len(want) {
		names := ""
		if slices.ContainsFunc(want, func(w operand) bool { return w.name != input.name }) {
			for _, w := range want {
				names += ", " + w.name
			}
			names = " (" + names[2:] + ")"
		}
		return fmt.Errorf("takes %s%s, not %d", inputs(len(want)), names, len(in))
	}
	for i, w := range want {
		if err := w.check(in[i]); err != nil {
			return err
		}
	}
	return nil
}

// inputs is a number of inputs in words.
func inputs(n int) string {
	if n == 1 {
		return "1 input"
	}
	return fmt.Sprintf("%d inputs", n)
}

// expectSeveral checks the inputs of a layer that takes any number of them.
func expectSeveral(in []Input, n int) error {
	if len(in) < n {
		return fmt.Errorf("takes at least %s, not %d", inputs(n), len(in))
	}
	for i := range in {
		if err := (operand{fmt.Sprintf("input %d", i), device.Float32}).check(in[i]); err != nil {
			return err
		}
	}
	return nil
}

// expectAlike checks that inputs have the shape of the first.
func expectAlike(in []Input) error {
	for i := range in {
		if !slices.Equal(in[i].Shape, in[0].Shape) {
			return fmt.Errorf("input %d is %s, want %s to match input 0", i, dims(in[i].Shape), dims(in[0].Shape))
		}
	}
	return nil
}

func (w operand) check(in Input) error {
	if in.DType != w.dtype {
		return fmt.Errorf("%s is %v %s, want %v", w.name, in.DType, dims(in.Shape), w.dtype)
	}
	return checkShape(w.name, in.Shape)
}

// expectImage checks that a layer has one input, [N,C,H,W].
func expectImage(in []Input) error {
	if err := expect(in, input); err != nil {
		return err
	}
	if len(in[0].Shape) != 4 {
		return fmt.Errorf("input is %s, want [N,C,H,W]", dims(in[0].Shape))
	}
	return nil
}

// expectPixels checks that a layer has one input, images [N,C,H,W] or rows of pixels
// [N,C,L], and that sizes and pads given by name fit it: those of rows are one number.
func expectPixels(in []Input, sizes map[string]Size, pad Pad) error {
	if err := expect(in, input); err != nil {
		return err
	}
	switch x := in[0].Shape; len(x) {
	case 4:
		return nil
	case 3:
		for _, name := range slices.Sorted(maps.Keys(sizes)) {
			if s := sizes[name]; s.H != s.W && s.H != 1 {
				return fmt.Errorf("%s %v is for images; of input %s, [N,C,L], it is one number, the length", name, s, dims(x))
			}
		}
		if pad != Around(pad.Top) && (pad.Top != 0 || pad.Bottom != 0) {
			return fmt.Errorf("pad %d,%d,%d,%d is for images; of input %s, [N,C,L], it is one number, or [0,0,before,behind]", pad.Top, pad.Bottom, pad.Left, pad.Right, dims(x))
		}
		return nil
	default:
		return fmt.Errorf("input is %s, want [N,C,H,W] or [N,C,L]", dims(x))
	}
}

// image is a shape [N,C,H,W], or [N,C,L] as that of images of height 1.
func image(s tensor.Shape) (n, c, h, w int) {
	if len(s) == 3 {
		return s[0], s[1], 1, s[2]
	}
	return s[0], s[1], s[2], s[3]
}

// shapeAs is a shape [N,C,H,W] as it goes with an input x: without H where that is
// [N,C,L].
func shapeAs(x, y tensor.Shape) tensor.Shape {
	if len(x) == 3 {
		return tensor.Shape{y[0], y[1], y[3]}
	}
	return y
}

// mostClasses is how many classes a label names exactly in a program, as a float32.
const mostClasses = 1 << 24

// expectScores checks the inputs of a layer that compares scores [N,C] with
// labels [N].
func expectScores(in []Input) error {
	if err := expect(in, scores, label); err != nil {
		return err
	}
	x, l := in[0].Shape, in[1].Shape
	if len(x) != 2 {
		return fmt.Errorf("scores are %s, want [N,C]; a flatten layer makes them so", dims(x))
	}
	if len(l) != 1 || l[0] != x[0] {
		return fmt.Errorf("label is %s, want [%d] to match scores %s", dims(l), x[0], dims(x))
	}
	if x[1] > mostClasses {
		return fmt.Errorf("scores are %s, want at most %d classes, which a label can tell apart", dims(x), mostClasses)
	}
	return nil
}

// checkShape says what is wrong with a tensor's shape, if anything.
func checkShape(name string, s tensor.Shape) error {
	if len(s) == 0 {
		return fmt.Errorf("%s is a scalar, want a batch dimension", name)
	}
	if err := device.CheckShape(s); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// option is a named number of a layer.
type option struct {
	name  string
	value int
}

// bounded checks that numbers are small enough to count with. Whether they
// make sense is checked elsewhere.
func bounded(options ...option) error {
	for _, o := range options {
		if o.value > maxSize {
			return fmt.Errorf("%s %d is more than %d", o.name, o.value, maxSize)
		}
	}
	return nil
}

// multiplyAdds checks that the operations of a product with so many outputs,
// each a sum of depth terms, can be counted.
func multiplyAdds(outputs, depth int) error {
	if int64(outputs) > math.MaxInt64/2/int64(depth) {
		return fmt.Errorf("%d outputs that each sum %d products are too much work to count", outputs, depth)
	}
	return nil
}

// dims writes a shape as it stands in this package's comments: "[32,10]".
func dims(s tensor.Shape) string {
	return strings.ReplaceAll(fmt.Sprint([]int(s)), " ", ",")
}

// sample is the number of elements of one sample, and plane that of one
// channel of one sample. The shape is known to hold at least one element.
func sample(s tensor.Shape) int { return device.Elements(s[1:]) }
func plane(s tensor.Shape) int  { return device.Elements(s[2:]) }

// like is an output of an input's shape and type.
func like(in Input) []Input {
	return []Input{{Shape: slices.Clone(in.Shape), DType: in.DType}}
}

// floats is an output of float32.
func floats(shape ...int) Input { return Input{Shape: shape, DType: device.Float32} }
