package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// folders compute operators of constants alone.
var folders = map[string]operator{
	"Constant":        foldConstant,
	"ConstantOfShape": foldConstantOfShape,
	"Range":           foldRange,
	"Identity":        fold(func(c []*constant, _ *node) (*constant, error) { return c[0], nil }),
	"Shape":           foldShape,
	"Size": fold(func(c []*constant, _ *node) (*constant, error) {
		return &constant{kind: typeInt64, shape: []int{}, ints: []int64{int64(c[0].len())}}, nil
	}),
	"Cast":      foldCast,
	"Reshape":   foldReshape,
	"Flatten":   foldFlatten,
	"Squeeze":   foldSqueeze,
	"Unsqueeze": foldUnsqueeze,
	"Concat":    foldConcat,
	"Gather":    foldGather,
	"Slice":     foldSlice,
	"Transpose": foldTranspose,
	"Expand":    foldExpand,
	"Tile":      foldTile,
	"Where":     foldWhere,
	"Neg":       foldUnary(func(x float64) float64 { return -x }, func(x int64) int64 { return -x }),
	"Abs":       foldUnary(math.Abs, func(x int64) int64 { return max(x, -x) }),
	"Not":       foldUnary(func(float64) float64 { return 0 }, func(x int64) int64 { return truth[int64](x == 0) }),
	"Sqrt":      foldUnary(math.Sqrt, nil), "Exp": foldUnary(math.Exp, nil), "Log": foldUnary(math.Log, nil),
	"Floor": foldUnary(math.Floor, nil), "Ceil": foldUnary(math.Ceil, nil), "Round": foldUnary(math.RoundToEven, nil),
	"Reciprocal": foldUnary(func(x float64) float64 { return 1 / x }, nil),
	"ReduceProd": foldReduce("Mul", 1),
	"ReduceSum":  foldReduce("Add", 0),
	"ReduceMax":  foldReduce("Max", math.Inf(-1)),
	"ReduceMin":  foldReduce("Min", math.Inf(1)),
	"Add":        foldBinary("Add"), "Sub": foldBinary("Sub"), "Mul": foldBinary("Mul"), "Div": foldBinary("Div"),
	"Mod": foldBinary("Mod"), "Pow": foldBinary("Pow"), "Min": foldBinary("Min"), "Max": foldBinary("Max"),
	"Equal": foldBinary("Equal"), "Less": foldBinary("Less"), "Greater": foldBinary("Greater"),
	"LessOrEqual": foldBinary("LessOrEqual"), "GreaterOrEqual": foldBinary("GreaterOrEqual"),
	"And": foldBinary("And"), "Or": foldBinary("Or"),
}

// fold is an operator of constants, which are all there.
func fold(f func(c []*constant, n *node) (*constant, error)) operator {
	return func(im *importer, n *node) ([]*value, error) {
		n.ignore("consumed_inputs")
		list := make([]*constant, len(n.in))
		for i, v := range n.in {
			if v == nil {
				return nil, fmt.Errorf("its input %d is missing", i)
			}
			list[i] = v.constant
		}
		if len(list) == 0 {
			return nil, errors.New("it has no inputs")
		}
		c, err := f(list, n)
		if err != nil {
			return nil, err
		}
		return folded(c), nil
	}
}

func folded(c *constant) []*value { return []*value{{constant: c, kind: c.kind}} }

// picked is a constant of another shape whose element i is element index[i] of c.
func (im *importer) picked(c *constant, shape, index []int) ([]*value, error) {
	if err := im.take(len(index)); err != nil {
		return nil, err
	}
	y := &constant{kind: c.kind, shape: shape}
	for _, i := range index {
		if c.integral() {
			y.ints = append(y.ints, c.ints[i])
		} else {
			y.floats = append(y.floats, c.floats[i])
		}
		if c.batch != nil {
			y.batch = append(y.batch, c.batch[i])
		}
	}
	return folded(y), nil
}

// as is c in another shape of as many elements.
func (c *constant) as(shape ...int) *constant {
	y := *c
	y.shape = shape
	return &y
}

// upTo are 0, 1 and so on.
func upTo(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// first is input 0 of a node of constants.
func (n *node) first() (*constant, error) {
	if v := n.input(0); v != nil {
		return v.constant, nil
	}
	return nil, errors.New("its input 0 is missing")
}

func foldConstant(im *importer, n *node) ([]*value, error) {
	for i := range n.attributes {
		a := &n.attributes[i]
		n.ignore(a.name)
		switch a.name {
		case "value":
			if a.t == nil {
				return nil, errors.New("its value is missing")
			}
			c, err := a.t.constant(nil)
			if err != nil {
				return nil, fmt.Errorf("its value: %w", err)
			}
			return folded(c), nil
		case "value_float":
			return folded(&constant{kind: typeFloat, shape: []int{}, floats: []float32{a.f}}), nil
		case "value_floats":
			return folded(&constant{kind: typeFloat, shape: []int{len(a.floats)}, floats: a.floats}), nil
		case "value_int":
			return folded(&constant{kind: typeInt64, shape: []int{}, ints: []int64{a.i}}), nil
		case "value_ints":
			return folded(integersOf(a.ints...)), nil
		}
	}
	return nil, errors.New("its value is missing, or of a kind that is not read")
}

// dimsOf are the elements of a constant as a shape, of a bounded number of elements.
func (im *importer) dimsOf(c *constant) ([]int, error) {
	if !c.integral() {
		return nil, fmt.Errorf("a shape of %v is none", c.kind)
	}
	if !c.known() {
		return nil, &batchError{"a constant has the batch as a dimension"}
	}
	shape, err := shapeOf(c.ints)
	if err != nil {
		return nil, err
	}
	if n := product(shape); n > im.room {
		return nil, im.take(n)
	}
	return shape, nil
}

func foldConstantOfShape(im *importer, n *node) ([]*value, error) {
	want, err := n.first()
	if err != nil {
		return nil, err
	}
	shape, err := im.dimsOf(want)
	if err != nil {
		return nil, err
	}
	one := &constant{kind: typeFloat, shape: []int{1}, floats: []float32{0}}
	a, err := n.attribute("value", kindTensor)
	if err != nil {
		return nil, err
	}
	if a != nil {
		if a.t == nil {
			return nil, errors.New("its value is missing")
		}
		if one, err = a.t.constant(nil); err != nil {
			return nil, fmt.Errorf("its value: %w", err)
		}
		if one.len() != 1 {
			return nil, fmt.Errorf("its value has %d elements, want 1", one.len())
		}
	}
	return im.picked(one, shape, make([]int, product(shape)))
}

func foldRange(im *importer, n *node) ([]*value, error) {
	if len(n.in) != 3 {
		return nil, errors.New("it takes 3 inputs")
	}
	var v [3]float64
	for i := range v {
		c := n.in[i]
		if c == nil || c.len() != 1 {
			return nil, errors.New("its inputs must be one number each")
		}
		if !c.known() {
			return nil, &batchError{"a range counts the batch"}
		}
		v[i] = c.at(0)
	}
	count := max(math.Ceil((v[1]-v[0])/v[2]), 0)
	if !(count <= float64(im.room)) {
		return nil, im.take(math.MaxInt)
	}
	y := &constant{kind: n.in[0].kind, shape: []int{int(count)}}
	for i := range int(count) {
		y.put(v[0] + float64(i)*v[2])
	}
	return folded(y), im.take(int(count))
}

// at is an element as a number.
func (c *constant) at(i int) float64 {
	switch {
	case c.kind == typeUint64:
		return float64(uint64(c.ints[i]))
	case c.integral():
		return float64(c.ints[i])
	}
	return float64(c.floats[i])
}

// put adds an element. What an integer does not hold is its largest or smallest, or 0 where it
// is no number; then the bits count that the type has.
func (c *constant) put(v float64) {
	switch {
	case !c.integral():
		c.floats = append(c.floats, float32(v))
	case c.kind == typeBool:
		c.ints = append(c.ints, truth[int64](v != 0))
	case v != v:
		c.ints = append(c.ints, 0)
	case math.IsInf(v, 0) || c.kind != typeUint64 && math.Abs(v) >= 1<<63 || c.kind == typeUint64 && (v >= 1<<64 || v <= -1<<63):
		least, most := bounds(c.kind)
		if v < 0 {
			most = least
		}
		c.ints = append(c.ints, most)
	case v >= 1<<63:
		c.ints = append(c.ints, int64(uint64(v)))
	default:
		c.ints = append(c.ints, fitted(c.kind, int64(v)))
	}
}

// bits are those of the integers that have fewer than 64.
var bits = map[dataType]int{typeInt8: 8, typeUint8: 8, typeInt16: 16, typeUint16: 16, typeInt32: 32, typeUint32: 32}

// unsigned reports whether integers of the type are never negative.
func (k dataType) unsigned() bool {
	return slices.Contains([]dataType{typeUint8, typeUint16, typeUint32, typeUint64}, k)
}

// fitted is an integer as its type holds it: its lowest bits.
func fitted(kind dataType, v int64) int64 {
	n, ok := bits[kind]
	switch {
	case kind == typeBool:
		return truth[int64](v != 0)
	case !ok:
		return v
	case kind.unsigned():
		return v & (1<<n - 1)
	}
	return v << (64 - n) >> (64 - n)
}

// bounds are the smallest and the largest integer of a type, the latter of uint64 as its bits.
func bounds(kind dataType) (least, most int64) {
	n, ok := bits[kind]
	if !ok {
		n = 64
	}
	switch {
	case kind == typeUint64:
		return 0, -1
	case kind == typeBool:
		return 0, 1
	case kind.unsigned():
		return 0, 1<<n - 1
	}
	return -1 << (n - 1), 1<<(n-1) - 1
}

func foldShape(im *importer, n *node) ([]*value, error) {
	c, err := n.first()
	if err != nil {
		return nil, err
	}
	a := n.read()
	start, end := within(a.integer("start", 0), len(c.shape)), within(a.integer("end", len(c.shape)), len(c.shape))
	if a.err != nil {
		return nil, a.err
	}
	var list []int64
	for _, d := range c.shape[start:max(start, end)] {
		list = append(list, int64(d))
	}
	return folded(integersOf(list...)), nil
}

func foldCast(im *importer, n *node) ([]*value, error) {
	c, err := n.first()
	if err != nil {
		return nil, err
	}
	a := n.read()
	to := dataType(a.integer("to", 0))
	n.ignore("saturate", "round_mode")
	if a.err != nil {
		return nil, a.err
	}
	if sizes[to] == 0 {
		return nil, fmt.Errorf("it makes elements of %v", to)
	}
	if !c.known() && to.floating() {
		return nil, &batchError{"the batch is made a number of floating point"}
	}
	return folded(castTo(c, to)), im.take(c.len())
}

// castTo is a constant of another type: integers keep their lowest bits, as in NumPy.
func castTo(c *constant, to dataType) *constant {
	y := &constant{kind: to, shape: c.shape, batch: c.batch}
	for i := range c.len() {
		if c.integral() && y.integral() {
			y.ints = append(y.ints, fitted(to, c.ints[i]))
			continue
		}
		y.put(c.at(i))
	}
	return y
}

func foldReshape(im *importer, n *node) ([]*value, error) {
	c, err := n.first()
	if err != nil {
		return nil, err
	}
	a := n.read()
	zero := a.integer("allowzero", 0) != 0
	list, err := n.listOr(a, "shape", 1)
	if err != nil {
		return nil, err
	}
	shape, rest, open := slices.Clone(list), 1, -1
	for i, d := range shape {
		if d == 0 && !zero && i < len(c.shape) {
			shape[i] = c.shape[i]
		}
		switch d = shape[i]; {
		case d == -1 && open < 0:
			open = i
		case d < 0 || d > 0 && rest > 0 && d > mostElements/rest:
			return nil, fmt.Errorf("the shape %v is none for %v", list, c.shape)
		default:
			rest *= d
		}
	}
	if open >= 0 {
		if rest == 0 || c.len()%rest != 0 {
			return nil, fmt.Errorf("the shape %v does not hold %v", list, c.shape)
		}
		shape[open] = c.len() / rest
		rest *= shape[open]
	}
	if rest != c.len() {
		return nil, fmt.Errorf("the shape %v does not hold %v", list, c.shape)
	}
	return folded(c.as(shape...)), nil
}

func foldFlatten(im *importer, n *node) ([]*value, error) {
	c, err := n.first()
	if err != nil {
		return nil, err
	}
	a := n.read()
	axis := within(a.integer("axis", 1), len(c.shape))
	return folded(c.as(product(c.shape[:axis]), product(c.shape[axis:]))), a.err
}

func foldSqueeze(im *importer, n *node) ([]*value, error) {
	c, err := n.first()
	if err != nil {
		return nil, err
	}
	axes, err := n.listOr(n.read(), "axes", 1)
	if err != nil {
		return nil, err
	}
	if axes == nil {
		for i, d := range c.shape {
			if d == 1 {
				axes = append(axes, i)
			}
		}
	}
	if axes, err = axesOf(axes, len(c.shape)); err != nil {
		return nil, err
	}
	shape := []int{}
	for i, d := range c.shape {
		if !slices.Contains(axes, i) {
			shape = append(shape, d)
		} else if d != 1 {
			return nil, fmt.Errorf("axes %v of %v are not all 1", axes, c.shape)
		}
	}
	return folded(c.as(shape...)), nil
}

func foldUnsqueeze(im *importer, n *node) ([]*value, error) {
	c, err := n.first()
	if err != nil {
		return nil, err
	}
	axes, err := n.listOr(n.read(), "axes", 1)
	if err != nil {
		return nil, err
	}
	if axes, err = axesOf(axes, len(c.shape)+len(axes)); err != nil {
		return nil, err
	}
	shape := slices.Clone(c.shape)
	for _, axis := range slices.Sorted(slices.Values(axes)) {
		shape = slices.Insert(shape, axis, 1)
	}
	return folded(c.as(shape...)), nil
}

func foldGather(im *importer, n *node) ([]*value, error) {
	c, err := n.first()
	if err != nil {
		return nil, err
	}
	a := n.read()
	axis, err := axisOf(a.integer("axis", 0), len(c.shape))
	if err = errors.Join(a.err, err); err != nil {
		return nil, err
	}
	places, err := n.integersAt(1, "indices")
	if err != nil {
		return nil, err
	}
	if n.input(1) == nil {
		return nil, errors.New("its indices are missing")
	}
	shape := slices.Concat(c.shape[:axis], n.in[1].shape, c.shape[axis+1:])
	index, err := im.pickedAlong(c, axis, places)
	if err != nil {
		return nil, err
	}
	return im.picked(c, shape, index)
}

// pickedAlong are the elements at these places of an axis.
func (im *importer) pickedAlong(c *constant, axis int, places []int) ([]int, error) {
	before, length, behind := product(c.shape[:axis]), c.shape[axis], product(c.shape[axis+1:])
	if behind > 0 && len(places) > 0 && before > im.room/behind/len(places) {
		return nil, im.take(math.MaxInt)
	}
	var index []int
	for b := range before {
		for _, p := range places {
			if p < 0 {
				p += length
			}
			if p < 0 || p >= length {
				return nil, fmt.Errorf("the index %d is none of %d", p, length)
			}
			for i := range behind {
				index = append(index, (b*length+p)*behind+i)
			}
		}
	}
	return index, nil
}

func foldSlice(im *importer, n *node) ([]*value, error) {
	c, err := n.first()
	if err != nil {
		return nil, err
	}
	lists, err := n.sliceLists(len(c.shape))
	if err != nil {
		return nil, err
	}
	for i, axis := range lists[2] {
		if err := im.take(c.shape[axis]); err != nil {
			return nil, err
		}
		places := sliced(lists[0][i], lists[1][i], lists[3][i], c.shape[axis])
		index, err := im.pickedAlong(c, axis, places)
		if err != nil {
			return nil, err
		}
		y, err := im.picked(c, with(c.shape, axis, len(places)), index)
		if err != nil {
			return nil, err
		}
		c = y[0].constant
	}
	return folded(c), nil
}

func foldTranspose(im *importer, n *node) ([]*value, error) {
	c, err := n.first()
	if err != nil {
		return nil, err
	}
	a := n.read()
	perm := a.integers("perm")
	if perm == nil {
		perm = upTo(len(c.shape))
		slices.Reverse(perm)
	}
	if perm, err = axesOf(perm, len(c.shape)); err != nil || a.err != nil || len(perm) != len(c.shape) {
		return nil, errors.Join(a.err, fmt.Errorf("perm %v does not fit %v", perm, c.shape))
	}
	strides := stridesOf(c.shape, c.shape)
	shape, moved := make([]int, len(perm)), make([]int, len(perm))
	for i, axis := range perm {
		shape[i], moved[i] = c.shape[axis], strides[axis]
	}
	if err := im.take(c.len()); err != nil {
		return nil, err
	}
	index := make([]int, c.len())
	for i := range index {
		rest := i
		for a := len(shape) - 1; a >= 0; a-- {
			index[i] += rest % shape[a] * moved[a]
			rest /= shape[a]
		}
	}
	return im.picked(c, shape, index)
}
