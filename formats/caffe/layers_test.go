package caffe

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// tensorOf is a blob that a test writes.
type tensorOf struct {
	dims   []int
	values []float32
}

// normal is a tensor of seeded numbers.
func normal(seed uint32, dims ...int) tensorOf {
	x := make([]float32, device.Elements(dims))
	layers.Gaussian(1).Fill(x, layers.Fan{}, device.Random{Stream: seed})
	return tensorOf{dims, x}
}

// appendBlob appends a BlobProto as a field; in the old form with four sizes.
func appendBlob(b []byte, number protowire.Number, x tensorOf, old bool) []byte {
	var m []byte
	if old {
		dims := x.dims
		for len(dims) < 4 {
			dims = append([]int{1}, dims...)
		}
		for i, d := range dims {
			m = protowire.AppendVarint(protowire.AppendTag(m, protowire.Number(1+i), protowire.VarintType), uint64(d))
		}
	} else {
		var packed []byte
		for _, d := range x.dims {
			packed = protowire.AppendVarint(packed, uint64(d))
		}
		shape := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), packed)
		m = protowire.AppendBytes(protowire.AppendTag(m, 7, protowire.BytesType), shape)
	}
	var data []byte
	for _, v := range x.values {
		data = appendFloat32(data, v)
	}
	m = protowire.AppendBytes(protowire.AppendTag(m, 5, protowire.BytesType), data)
	return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), m)
}

// named is a layer's weights, which a test writes in an order.
type named struct {
	layer string
	blobs []tensorOf
}

// caffemodel writes the weights of layers of version 2, or of version 1 in the old form.
func caffemodel(weights []named, old bool) []byte {
	b := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "test")
	for _, w := range weights {
		name, blob, layer := protowire.Number(1), protowire.Number(7), protowire.Number(100)
		if old {
			name, blob, layer = 4, 6, 2
		}
		m := protowire.AppendString(protowire.AppendTag(nil, name, protowire.BytesType), w.layer)
		for _, x := range w.blobs {
			m = appendBlob(m, blob, x, old)
		}
		b = protowire.AppendBytes(protowire.AppendTag(b, layer, protowire.BytesType), m)
	}
	return b
}

// importText reads a network and its weights as from files.
func importText(t *testing.T, text string, weights ...named) *formats.Model {
	dir := t.TempDir()
	net, model := filepath.Join(dir, "net.prototxt"), filepath.Join(dir, "net.caffemodel")
	require.NoError(t, os.WriteFile(net, []byte(text), 0o666))
	require.NoError(t, os.WriteFile(model, caffemodel(append(weights, named{layer: "unused"}), len(text)%2 == 0), 0o666))
	m, err := Read(context.Background(), []string{net, model}, formats.Options{})
	require.NoError(t, err)
	return m
}

// shapeOf is the shape of an input for two samples.
func shapeOf(dims []int) string {
	text := "input_shape {"
	for _, d := range append([]int{2}, dims...) {
		text += fmt.Sprintf(" dim: %d", d)
	}
	return text + " } "
}

// each applies a function to every number.
func each(f func(x float64) float64) func(x tensorOf) []float64 {
	return func(x tensorOf) []float64 {
		y := make([]float64, len(x.values))
		for i, v := range x.values {
			y[i] = f(float64(v))
		}
		return y
	}
}

// TestLayersComputeWhatCaffesDo holds the layers that no published network has against their
// formulas in caffe.proto and Caffe's sources, in float64.
func TestLayersComputeWhatCaffesDo(t *testing.T) {
	image := []int{3, 5, 6}
	at := func(x tensorOf, n, c, h, w int) float64 {
		d := x.dims
		return float64(x.values[((n*d[1]+c)*d[2]+h)*d[3]+w])
	}
	// images makes [N,C,H,W] of a formula.
	images := func(n, c, h, w int, f func(n, c, h, w int) float64) []float64 {
		var y []float64
		for i := range n * c * h * w {
			y = append(y, f(i/(c*h*w), i/(h*w)%c, i/w%h, i%w))
		}
		return y
	}
	gamma, beta := normal(7, 3), normal(8, 3)
	for _, c := range []struct {
		name    string
		shape   []int
		layers  string // the first reads data, the last makes y
		weights []named
		want    func(x tensorOf) []float64
	}{
		{"AbsVal", image, `layer { name: "a" type: "AbsVal" bottom: "data" top: "y" }`, nil, each(math.Abs)},
		{"AbsVal of version 1", image, `layers { name: "a" type: ABSVAL bottom: "data" top: "y" }`, nil, each(math.Abs)},
		{"BNLL", image, `layer { name: "a" type: "BNLL" bottom: "data" top: "y" }`, nil, each(func(x float64) float64 { return math.Log1p(math.Exp(x)) })},
		{"TanH", image, `layer { name: "a" type: "TanH" bottom: "data" top: "y" }`, nil, each(math.Tanh)},
		{"Sigmoid", image, `layer { name: "a" type: "Sigmoid" bottom: "data" top: "y" }`, nil, each(func(x float64) float64 { return 1 / (1 + math.Exp(-x)) })},
		{"ReLU with a slope", image, `layer { name: "a" type: "ReLU" bottom: "data" top: "y" relu_param { negative_slope: 0.25 } }`, nil, each(func(x float64) float64 { return max(x, 0) + 0.25*min(x, 0) })},
		{"ReLU with a slope above 1", image, `layer { name: "a" type: "ReLU" bottom: "data" top: "y" relu_param { negative_slope: -2 } }`, nil, each(func(x float64) float64 { return max(x, 0) - 2*min(x, 0) })},
		{"ELU", image, `layer { name: "a" type: "ELU" bottom: "data" top: "y" elu_param { alpha: 0.5 } }`, nil, each(func(x float64) float64 { return max(x, 0) + 0.5*(math.Exp(min(x, 0))-1) })},
		{"Swish", image, `layer { name: "a" type: "Swish" bottom: "data" top: "y" swish_param { beta: 2 } }`, nil, each(func(x float64) float64 { return x / (1 + math.Exp(-2*x)) })},
		{"Clip", image, `layer { name: "a" type: "Clip" bottom: "data" top: "y" clip_param { min: -0.5 max: 0.75 } }`, nil, each(func(x float64) float64 { return min(max(x, -0.5), 0.75) })},
		{"Threshold", image, `layer { name: "a" type: "Threshold" bottom: "data" top: "y" threshold_param { threshold: 0.5 } }`, nil, each(func(x float64) float64 {
			if x > 0.5 {
				return 1
			}
			return 0
		})},
		{"Power, square", image, `layer { name: "a" type: "Power" bottom: "data" top: "y" power_param { power: 2 scale: 3 shift: -1 } }`, nil, each(func(x float64) float64 { return math.Pow(3*x-1, 2) })},
		{"Power, linear", image, `layer { name: "a" type: "Power" bottom: "data" top: "y" power_param { scale: 3 shift: -1 } }`, nil, each(func(x float64) float64 { return 3*x - 1 })},
		{"Power, scale alone", image, `layer { name: "a" type: "Power" bottom: "data" top: "y" power_param { scale: 3 } }`, nil, each(func(x float64) float64 { return 3 * x })},
		{"Power, inverse cube", image, `layer { name: "a" type: "Power" bottom: "data" top: "y" power_param { power: -3 scale: 0.1 shift: 1 } }`, nil, each(func(x float64) float64 { return math.Pow(0.1*x+1, -3) })},
		{"Power, root", image, `layer { name: "a" type: "Power" bottom: "data" top: "y" power_param { power: 0.5 scale: 0.1 shift: 1 } }`, nil, each(func(x float64) float64 { return math.Sqrt(0.1*x + 1) })},
		{"Power, fraction", image, `layer { name: "a" type: "Power" bottom: "data" top: "y" power_param { power: -0.75 scale: 0.1 shift: 1 } }`, nil, each(func(x float64) float64 { return math.Pow(0.1*x+1, -0.75) })},
		{"Power, high and odd", image, `layer { name: "a" type: "Power" bottom: "data" top: "y" power_param { power: 9 } }`, nil, each(func(x float64) float64 { return math.Pow(x, 9) })},
		{"Power, zero", image, `layer { name: "a" type: "Power" bottom: "data" top: "y" power_param { power: 0 } }`, nil, each(func(float64) float64 { return 1 })},
		{"Exp", image, `layer { name: "a" type: "Exp" bottom: "data" top: "y" exp_param { base: 2 scale: 0.5 shift: 1 } }`, nil, each(func(x float64) float64 { return math.Pow(2, 1+0.5*x) })},
		{"Log", image, `layer { name: "a" type: "Log" bottom: "data" top: "y" log_param { base: 10 scale: 0.1 shift: 1 } }`, nil, each(func(x float64) float64 { return math.Log10(1 + 0.1*x) })},
		{"Dropout that scales tests", image, `layer { name: "a" type: "Dropout" bottom: "data" top: "y" dropout_param { dropout_ratio: 0.25 scale_train: false } }`, nil, each(func(x float64) float64 { return 0.75 * x })},
		{"Eltwise with coefficients", image, `layer { name: "s" type: "Split" bottom: "data" top: "p" top: "q" } layer { name: "e" type: "Exp" bottom: "q" top: "q" }
			layer { name: "a" type: "Eltwise" bottom: "p" bottom: "q" bottom: "p" top: "y" eltwise_param { coeff: 1 coeff: -2 coeff: 0.5 } }`, nil,
			each(func(x float64) float64 { return 1.5*x - 2*math.Exp(x) })},
		{"Eltwise of many", image, `layer { name: "a" type: "Eltwise" bottom: "data" bottom: "data" bottom: "data" bottom: "data" bottom: "data" bottom: "data" bottom: "data" bottom: "data" bottom: "data" bottom: "data" top: "y" eltwise_param { coeff: [1, 2, 3, 4, 5, 6, 7, 8, 9, -20] } }`, nil,
			each(func(x float64) float64 { return 25 * x })},
		{"Eltwise product", image, `layer { name: "e" type: "Exp" bottom: "data" top: "q" } layer { name: "a" type: "Eltwise" bottom: "data" bottom: "q" top: "y" eltwise_param { operation: PROD } }`, nil,
			each(func(x float64) float64 { return x * math.Exp(x) })},
		{"Eltwise maximum", image, `layer { name: "e" type: "Power" bottom: "data" top: "q" power_param { scale: -0.5 } } layer { name: "a" type: "Eltwise" bottom: "data" bottom: "q" top: "y" eltwise_param { operation: MAX } }`, nil,
			each(func(x float64) float64 { return max(x, -0.5*x) })},
		{"Scale", image, `layer { name: "a" type: "Scale" bottom: "data" top: "y" scale_param { bias_term: true } }`, []named{{"a", []tensorOf{gamma, beta}}}, func(x tensorOf) []float64 {
			return images(2, 3, 5, 6, func(n, c, h, w int) float64 {
				return at(x, n, c, h, w)*float64(gamma.values[c]) + float64(beta.values[c])
			})
		}},
		{"Scale of numbers", []int{3}, `layer { name: "a" type: "Scale" bottom: "data" top: "y" }`, []named{{"a", []tensorOf{gamma}}}, func(x tensorOf) []float64 {
			y := each(func(x float64) float64 { return x })(x)
			for i := range y {
				y[i] *= float64(gamma.values[i%3])
			}
			return y
		}},
		{"Bias", image, `layer { name: "a" type: "Bias" bottom: "data" top: "y" }`, []named{{"a", []tensorOf{beta}}}, func(x tensorOf) []float64 {
			return images(2, 3, 5, 6, func(n, c, h, w int) float64 { return at(x, n, c, h, w) + float64(beta.values[c]) })
		}},
		{"Scale by a layer", image, `layer { name: "g" type: "Pooling" bottom: "data" top: "g" pooling_param { pool: AVE global_pooling: true } } layer { name: "f" type: "Flatten" bottom: "g" top: "f" }
			layer { name: "a" type: "Scale" bottom: "data" bottom: "f" top: "y" scale_param { axis: 0 } }`, nil, func(x tensorOf) []float64 {
			return images(2, 3, 5, 6, func(n, c, h, w int) float64 {
				mean := 0.0
				for i := range 30 {
					mean += at(x, n, c, i/6, i%6) / 30
				}
				return at(x, n, c, h, w) * mean
			})
		}},
		{"BatchNorm", image, `layer { name: "n" type: "BatchNorm" bottom: "data" top: "y" batch_norm_param { eps: 0.01 } }`,
			[]named{{"n", []tensorOf{beta, {[]int{3}, []float32{1, 2, 3}}, {[]int{1}, []float32{4}}}}}, func(x tensorOf) []float64 {
				return images(2, 3, 5, 6, func(n, c, h, w int) float64 {
					return (at(x, n, c, h, w) - float64(beta.values[c])/4) / math.Sqrt(float64(1+c)/4+0.01)
				})
			}},
		{"BatchNorm and Scale", image, `layer { name: "n" type: "BatchNorm" bottom: "data" top: "n" } layer { name: "a" type: "Scale" bottom: "n" top: "y" scale_param { bias_term: true } }`,
			[]named{{"n", []tensorOf{beta, {[]int{3}, []float32{1, 2, 3}}, {[]int{1}, []float32{4}}}}, {"a", []tensorOf{gamma, beta}}}, func(x tensorOf) []float64 {
				return images(2, 3, 5, 6, func(n, c, h, w int) float64 {
					return (at(x, n, c, h, w)-float64(beta.values[c])/4)/math.Sqrt(float64(1+c)/4+1e-5)*float64(gamma.values[c]) + float64(beta.values[c])
				})
			}},
		{"MVN", image, `layer { name: "a" type: "MVN" bottom: "data" top: "y" }`, nil, func(x tensorOf) []float64 {
			return images(2, 3, 5, 6, func(n, c, h, w int) float64 {
				mean, square := 0.0, 0.0
				for i := range 30 {
					mean += at(x, n, c, i/6, i%6) / 30
					square += at(x, n, c, i/6, i%6) * at(x, n, c, i/6, i%6) / 30
				}
				return (at(x, n, c, h, w) - mean) / (math.Sqrt(square-mean*mean) + 1e-9)
			})
		}},
		{"MVN of the mean, across channels", image, `layer { name: "a" type: "MVN" bottom: "data" top: "y" mvn_param { normalize_variance: false across_channels: true } }`, nil, func(x tensorOf) []float64 {
			return images(2, 3, 5, 6, func(n, c, h, w int) float64 {
				mean := 0.0
				for i := range 90 {
					mean += at(x, n, i/30, i/6%5, i%6) / 90
				}
				return at(x, n, c, h, w) - mean
			})
		}},
		{"SPP", image, `layer { name: "a" type: "SPP" bottom: "data" top: "y" spp_param { pyramid_height: 2 } }`, nil, func(x tensorOf) []float64 {
			var y []float64
			largest := func(n, c, top, bottom, left, right int) float64 {
				m := math.Inf(-1)
				for h := top; h < bottom; h++ {
					for w := left; w < right; w++ {
						m = max(m, at(x, n, c, h, w))
					}
				}
				return m
			}
			for n := range 2 {
				for c := range 3 {
					y = append(y, largest(n, c, 0, 5, 0, 6))
				}
				for c := range 3 { // windows of 3x3 every 3, with a pad of 1 row: rows -1 to 1, and 2 to 4
					for i := range 4 {
						y = append(y, largest(n, c, max(0, i/2*3-1), i/2*3+2, i%2*3, i%2*3+3))
					}
				}
			}
			return y
		}},
		{"Pooling of averages, rounded up, with a pad", image, `layer { name: "a" type: "Pooling" bottom: "data" top: "y" pooling_param { pool: AVE kernel_h: 3 kernel_w: 2 stride: 2 pad_h: 1 } }`, nil, func(x tensorOf) []float64 {
			return images(2, 3, 3, 3, func(n, c, i, j int) float64 {
				sum, count := 0.0, 0
				for h := 2*i - 1; h < 2*i+2 && h < 6; h++ {
					for w := 2 * j; w < 2*j+2; w++ {
						if count++; h >= 0 && h < 5 {
							sum += at(x, n, c, h, w)
						}
					}
				}
				return sum / float64(count)
			})
		}},
		{"Slice and Concat of rows", image, `layer { name: "s" type: "Slice" bottom: "data" top: "p" top: "q" slice_param { axis: -2 slice_point: 2 } } layer { name: "a" type: "Concat" bottom: "q" bottom: "p" top: "y" concat_param { axis: 2 } }`, nil,
			func(x tensorOf) []float64 {
				return images(2, 3, 5, 6, func(n, c, h, w int) float64 { return at(x, n, c, (h+2)%5, w) })
			}},
		{"Slice and Concat of channels", image, `layers { name: "s" type: SLICE bottom: "data" top: "p" top: "q" top: "r" } layers { name: "a" type: CONCAT bottom: "r" bottom: "p" bottom: "q" top: "y" concat_param { concat_dim: 1 } }`, nil,
			func(x tensorOf) []float64 {
				return images(2, 3, 5, 6, func(n, c, h, w int) float64 { return at(x, n, (c+2)%3, h, w) })
			}},
		{"Tile", image, `layer { name: "a" type: "Tile" bottom: "data" top: "y" tile_param { axis: 2 tiles: 2 } }`, nil, func(x tensorOf) []float64 {
			return images(2, 3, 10, 6, func(n, c, h, w int) float64 { return at(x, n, c, h%5, w) })
		}},
		{"Reshape", image, `layer { name: "a" type: "Reshape" bottom: "data" top: "y" reshape_param { shape { dim: 0 dim: -1 dim: 9 } } }`, nil, each(func(x float64) float64 { return x })},
		{"Reshape of the end", image, `layer { name: "a" type: "Reshape" bottom: "data" top: "y" reshape_param { shape { dim: 6 dim: 5 } axis: -3 } }`, nil, each(func(x float64) float64 { return x })},
		{"Reshape of the batch as it is", image, `layer { name: "a" type: "Reshape" bottom: "data" top: "y" reshape_param { shape { dim: 2 dim: 90 } } }`, nil, each(func(x float64) float64 { return x })},
		{"Flatten of the end", image, `layer { name: "a" type: "Flatten" bottom: "data" top: "y" flatten_param { axis: 2 } }`, nil, each(func(x float64) float64 { return x })},
		{"Crop", image, `layer { name: "p" type: "Pooling" bottom: "data" top: "p" pooling_param { kernel_size: 2 stride: 2 } } layer { name: "a" type: "Crop" bottom: "data" bottom: "p" top: "y" crop_param { offset: 1 offset: 2 } }`, nil, func(x tensorOf) []float64 {
			return images(2, 3, 3, 3, func(n, c, h, w int) float64 { return at(x, n, c, h+1, w+2) })
		}},
		{"Softmax of columns", image, `layer { name: "a" type: "Softmax" bottom: "data" top: "y" softmax_param { axis: -1 } }`, nil, func(x tensorOf) []float64 {
			return images(2, 3, 5, 6, func(n, c, h, w int) float64 {
				sum := 0.0
				for i := range 6 {
					sum += math.Exp(at(x, n, c, h, i))
				}
				return math.Exp(at(x, n, c, h, w)) / sum
			})
		}},
		{"ArgMax of channels", image, `layer { name: "a" type: "ArgMax" bottom: "data" top: "y" argmax_param { axis: 1 } }`, nil, func(x tensorOf) []float64 {
			return images(2, 1, 5, 6, func(n, _, h, w int) float64 {
				best := 0
				for c := range 3 {
					if at(x, n, c, h, w) > at(x, n, best, h, w) {
						best = c
					}
				}
				return float64(best)
			})
		}},
		{"ArgMax of a sample", []int{7}, `layer { name: "a" type: "ArgMax" bottom: "data" top: "y" }`, nil, func(x tensorOf) []float64 {
			y := []float64{0, 0}
			for i, v := range x.values {
				if v > x.values[i/7*7+int(y[i/7])] {
					y[i/7] = float64(i % 7)
				}
			}
			return y
		}},
		{"Reduction", image, `layer { name: "a" type: "Reduction" bottom: "data" top: "y" reduction_param { operation: SUMSQ axis: 2 coeff: 0.5 } }`, nil, func(x tensorOf) []float64 {
			y := make([]float64, 6)
			for i, v := range x.values {
				y[i/30] += 0.5 * float64(v) * float64(v)
			}
			return y
		}},
		{"Reduction of magnitudes in rows", image, `layer { name: "a" type: "Reduction" bottom: "data" top: "y" reduction_param { operation: ASUM axis: -1 } }`, nil, func(x tensorOf) []float64 {
			y := make([]float64, 30)
			for i, v := range x.values {
				y[i/6] += math.Abs(float64(v))
			}
			return y
		}},
		{"LRN within channels", image, `layer { name: "a" type: "LRN" bottom: "data" top: "y" lrn_param { local_size: 3 alpha: 2 beta: 0.5 norm_region: WITHIN_CHANNEL k: 7 } }`, nil, func(x tensorOf) []float64 {
			return images(2, 3, 5, 6, func(n, c, h, w int) float64 {
				sum := 0.0
				for i := max(0, h-1); i < min(5, h+2); i++ {
					for j := max(0, w-1); j < min(6, w+2); j++ {
						sum += at(x, n, c, i, j) * at(x, n, c, i, j)
					}
				}
				return at(x, n, c, h, w) / math.Sqrt(1+2*sum/9)
			})
		}},
		{"LRN across channels", image, `layer { name: "a" type: "LRN" bottom: "data" top: "y" lrn_param { local_size: 3 alpha: 2 k: 1.5 } }`, nil, func(x tensorOf) []float64 {
			return images(2, 3, 5, 6, func(n, c, h, w int) float64 {
				sum := 0.0
				for i := max(0, c-1); i < min(3, c+2); i++ {
					sum += at(x, n, i, h, w) * at(x, n, i, h, w)
				}
				return at(x, n, c, h, w) / math.Pow(1.5+2*sum/3, 0.75)
			})
		}},
		{"InnerProduct transposed", []int{4}, `layer { name: "a" type: "InnerProduct" bottom: "data" top: "y" inner_product_param { num_output: 2 transpose: true bias_term: false } }`,
			[]named{{"a", []tensorOf{{[]int{4, 2}, []float32{1, 2, 3, 4, 5, 6, 7, 8}}}}}, func(x tensorOf) []float64 {
				var y []float64
				for n := range 2 {
					for k := range 2 {
						sum := 0.0
						for i := range 4 {
							sum += float64(x.values[4*n+i]) * float64(2*i+k+1)
						}
						y = append(y, sum)
					}
				}
				return y
			}},
		{"Deconvolution of groups", []int{2, 2, 2}, `layer { name: "a" type: "Deconvolution" bottom: "data" top: "y" convolution_param { num_output: 2 kernel_size: 2 stride: 2 group: 2 bias_term: false } }`,
			[]named{{"a", []tensorOf{{[]int{2, 1, 2, 2}, []float32{1, 2, 3, 4, 5, 6, 7, 8}}}}}, func(x tensorOf) []float64 {
				return images(2, 2, 4, 4, func(n, c, h, w int) float64 {
					return at(x, n, c, h/2, w/2) * float64(4*c+h%2*2+w%2+1)
				})
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := importText(t, `input: "data" `+shapeOf(c.shape)+c.layers, c.weights...)
			require.Empty(t, m.Lost)
			x := normal(1, append([]int{2}, c.shape...)...)
			got := run(t, m, tensor.New(tensor.WithShape(x.dims...), tensor.WithBacking(x.values)), "y")["y"].Float32s()
			want := c.want(x)
			require.Len(t, got, len(want))
			for i := range want {
				require.InDelta(t, want[i], got[i], 2e-5*max(1, math.Abs(want[i])), "element %d", i)
			}
		})
	}
}

// TestLossesByHand computes losses of scores against labels, in inference.
func TestLossesByHand(t *testing.T) {
	scores := []float32{0.5, -1, 2, -0.25, 0.75, 1.5}
	labels := []int32{2, 0}
	softmax := func(n int) float64 {
		sum := 0.0
		for c := range 3 {
			sum += math.Exp(float64(scores[3*n+c]))
		}
		return math.Log(sum) - float64(scores[3*n+int(labels[n])])
	}
	hinge := func(norm float64) func(n int) float64 {
		return func(n int) float64 {
			sum := 0.0
			for c := range 3 {
				s := float64(scores[3*n+c])
				if c == int(labels[n]) {
					s = -s
				}
				sum += math.Pow(max(0, 1+s), norm)
			}
			return sum
		}
	}
	head := `input: "data" input_shape { dim: 2 dim: 3 } input: "label" input_shape { dim: 2 } `
	for text, want := range map[string]func(n int) float64{
		`layer { name: "y" type: "SoftmaxWithLoss" bottom: "data" bottom: "label" top: "y" }`:                                                                  softmax,
		`layer { name: "p" type: "Softmax" bottom: "data" top: "p" } layer { name: "y" type: "MultinomialLogisticLoss" bottom: "p" bottom: "label" top: "y" }`: softmax,
		`layer { name: "y" type: "HingeLoss" bottom: "data" bottom: "label" top: "y" }`:                                                                        hinge(1),
		`layer { name: "y" type: "HingeLoss" bottom: "data" bottom: "label" top: "y" hinge_loss_param { norm: L2 } }`:                                          hinge(2),
	} {
		m, err := read(t, head+text, formats.Options{})
		require.NoError(t, err)
		require.Empty(t, m.Lost)
		require.Equal(t, graph.RoleLabel, m.Network.Inputs[1].Role)
		m.Weights = map[string]*tensor.Dense{}
		got := run(t, m, tensor.New(tensor.WithShape(2, 3), tensor.WithBacking(scores)), "y", labels...)["y"].Float32s()
		for n := range labels {
			require.InDelta(t, want(n), got[n], 1e-5)
		}
	}
}

// TestGradientsThatStop names a propagate_down that hubel's training would not follow, and no other.
func TestGradientsThatStop(t *testing.T) {
	const net = `layer { name: "d" type: "Data" top: "data" top: "label" transform_param { crop_size: 3 } }
		layer { name: "a" type: "InnerProduct" bottom: "data" top: "a" RATE inner_product_param { num_output: 4 bias_term: false } }
		layer { name: "r" type: "ReLU" bottom: "a" top: "r" }
		layer { name: "b" type: "InnerProduct" bottom: "r" top: "b" DOWN inner_product_param { num_output: 2 } }
		layer { name: "loss" type: "SoftmaxWithLoss" bottom: "b" bottom: "label" top: "loss" propagate_down: true propagate_down: false }`
	for _, c := range []struct {
		rate, down string
		lost       bool
	}{
		{"", "", false},
		{"", "propagate_down: true", false},
		{"", "propagate_down: false", true},
		{"param { lr_mult: 0 }", "propagate_down: false", false},
	} {
		m, err := read(t, strings.NewReplacer("RATE", c.rate, "DOWN", c.down).Replace(net), formats.Options{})
		require.NoError(t, err)
		lost := slices.DeleteFunc(m.Lost, func(line string) bool { return !strings.Contains(line, "propagate_down") })
		require.Equal(t, c.lost, len(lost) == 1, "%v: %q", c, lost)
		if c.lost {
			require.Contains(t, lost[0], `layer "b" (InnerProduct, line 4, column 3): propagate_down: false for its bottom "r": hubel's gradients go on`)
		}
	}
}

// TestSecondBottomsAndSpecialCases are layers whose numbers follow from others that are tested.
func TestSecondBottomsAndSpecialCases(t *testing.T) {
	head := `input: "data" input_shape { dim: 2 dim: 3 dim: 5 dim: 6 } `
	x := normal(1, 2, 3, 5, 6)
	in := tensor.New(tensor.WithShape(x.dims...), tensor.WithBacking(x.values))
	same := func(a, b string, weights ...named) {
		ya := run(t, importText(t, head+a, weights...), in, "y")["y"].Float32s()
		yb := run(t, importText(t, head+b, weights...), in, "y")["y"].Float32s()
		require.Len(t, yb, len(ya))
		for i := range ya {
			require.InDelta(t, ya[i], yb[i], 1e-5)
		}
	}
	same(`layer { name: "a" type: "Bias" bottom: "data" bottom: "data" top: "y" bias_param { axis: 0 } }`, `layer { name: "a" type: "Power" bottom: "data" top: "y" power_param { scale: 2 } }`)
	same(`layer { name: "a" type: "PReLU" bottom: "data" top: "y" prelu_param { channel_shared: true } }`, `layer { name: "a" type: "PReLU" bottom: "data" top: "y" prelu_param { channel_shared: true } }`, named{"a", []tensorOf{normal(2)}})

	// A norm that another layer reads too, by a Split, keeps its own output.
	norm := named{"n", []tensorOf{normal(2, 3), {[]int{3}, []float32{1, 2, 3}}, {[]int{1}, []float32{1}}}}
	factors := named{"s", []tensorOf{normal(3, 3), normal(4, 3)}}
	same(`layer { name: "n" type: "BatchNorm" bottom: "data" top: "n" } layer { name: "sp" type: "Split" bottom: "n" top: "n1" top: "n2" }
		layer { name: "s" type: "Scale" bottom: "n1" top: "s" scale_param { bias_term: true } } layer { name: "e" type: "Eltwise" bottom: "s" bottom: "n2" top: "y" }`,
		`layer { name: "n" type: "BatchNorm" bottom: "data" top: "n" } layer { name: "e0" type: "Eltwise" bottom: "n" bottom: "n" top: "two" }
		layer { name: "s" type: "Scale" bottom: "n" top: "s" scale_param { bias_term: true } } layer { name: "e" type: "Eltwise" bottom: "s" bottom: "two" top: "y" eltwise_param { coeff: [1, 0.5] } }`, norm, factors)

	m := importText(t, head+`layer { name: "a" type: "Pooling" bottom: "data" top: "y" pooling_param { pool: STOCHASTIC kernel_size: 2 stride: 2 } }`)
	require.Equal(t, "stochastic-pool", m.Network.Nodes[0].Layer.Type())
	m, err := read(t, `layer { name: "d" type: "MemoryData" top: "data" top: "label" memory_data_param { batch_size: 3 channels: 1 height: 4 width: 5 } }
		layer { name: "d2" type: "DummyData" top: "more" dummy_data_param { num: 3 channels: 2 height: 4 width: 5 } }
		layer { name: "c" type: "Concat" bottom: "data" bottom: "more" top: "y" }`, formats.Options{})
	require.NoError(t, err)
	require.Equal(t, []int{1, 4, 5}, m.Network.Inputs[0].Shape)
	require.Equal(t, []int{2, 4, 5}, m.Network.Inputs[1].Shape)
	_, err = read(t, head+`layer { name: "a" type: "ReLU" bottom: "data" top: "y" }`, formats.Options{Network: m.Network})
	require.ErrorContains(t, err, "Caffe's files have their network: give no other")
	_, err = read(t, head+"layer { name: \"a\" type: \"\\033[2J\" bottom: \"data\" top: \"y\" }", formats.Options{})
	require.ErrorContains(t, err, `layer "a" ("\x1b[2J", line 1`)
}
