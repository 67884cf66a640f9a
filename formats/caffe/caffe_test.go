package caffe

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// read reads a text as a network.
func read(t *testing.T, text string, o formats.Options) (*formats.Model, error) {
	return Read(context.Background(), []string{write(t, "net.prototxt", text)}, o)
}

const trainVal = `
name: "tiny net"
layer { name: "pictures" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { mirror: true crop_size: 8 mean_value: 104 mean_value: 117 mean_value: 123 scale: 0.5 }
  data_param { source: "train_lmdb" batch_size: 4 backend: LMDB } }
layer { name: "pictures" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { crop_size: 8 mean_value: 104 mean_value: 117 mean_value: 123 scale: 0.5 }
  data_param { source: "val_lmdb" batch_size: 2 backend: LMDB } }
layer { name: "conv/1" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "gaussian" std: 0.1 } bias_filler { value: 0.25 } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: AVE global_pooling: true } }
layer { name: "aux" type: "InnerProduct" bottom: "conv" top: "aux" inner_product_param { num_output: 7 } }
layer { name: "loss1" type: "SoftmaxWithLoss" bottom: "aux" bottom: "label" top: "loss1" loss_weight: 0.3 }
layer { name: "fc" type: "Convolution" bottom: "pool" top: "fc" convolution_param { num_output: 7 kernel_size: 1 } }
layer { name: "top5" type: "Accuracy" bottom: "fc" bottom: "label" top: "top5" accuracy_param { top_k: 5 } include { phase: TEST } }
layer { name: "top1" type: "Accuracy" bottom: "fc" bottom: "label" top: "top1" include { phase: TEST } }
layer { name: "loss2" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss2" }
`

// TestANetworkOfTrainingCanBeTrained merges the phases of a network: it has inputs by role, both
// losses, metrics and probabilities, and the preprocessing of its data layer.
func TestANetworkOfTrainingCanBeTrained(t *testing.T) {
	m, err := read(t, trainVal, formats.Options{})
	require.NoError(t, err)
	require.Empty(t, m.Lost)
	require.Equal(t, "Caffe, text, layers of version 2", m.Format)
	n := m.Network
	require.Equal(t, "tiny_net", n.Name)
	require.Equal(t, []graph.Input{
		{Name: "data", DType: device.Float32, Shape: []int{3, 8, 8}, Role: graph.RoleImage},
		{Name: "label", DType: device.Int32, Role: graph.RoleLabel},
	}, n.Inputs)
	require.Equal(t, []string{"prob"}, n.Outputs)
	require.Equal(t, []graph.Metric{{Value: "top1", Better: graph.Higher}, {Value: "top5", Better: graph.Higher}}, n.Metrics)
	require.Equal(t, &layers.Conv{
		Filters: 4, Kernel: layers.Square(3), Pad: layers.Around(1), WeightFiller: layers.Gaussian(0.1), BiasFiller: layers.Constant(0.25),
		WeightRate: new(float32(1)), WeightDecay: new(float32(1)), BiasRate: new(float32(2)), BiasDecay: new(float32(0)),
	}, n.Nodes[0].Layer)
	require.Equal(t, "conv_1", n.Nodes[0].Name)
	require.Equal(t, map[string]string{"conv": "relu"}, m.Values)
	_, err = n.Plan(formats.NoDevice{}, graph.PlanOptions{Mode: graph.Train, Batch: 4})
	require.NoError(t, err)

	require.Equal(t, data.Floats{123, 117, 104}, m.Preprocess.Mean, "in the order R, G, B")
	require.Equal(t, float32(0.5), m.Preprocess.Scale)
	require.Equal(t, data.Augment{{Op: data.Crop, H: 8, W: 8, P: 1}, {Op: data.Flip, P: 0.5}}, m.Preprocess.Augment)
	x := make([]float32, 3*64)
	for i := range x {
		x[i] = float32(i / 64) // R is 0, G 1, B 2
	}
	m.Preprocess.Apply(x)
	require.Equal(t, []float32{(2 - 104) * 0.5, (1 - 117) * 0.5, (0 - 123) * 0.5}, []float32{x[0], x[64], x[128]}, "B, G, R")

	m, err = read(t, trainVal, formats.Options{Order: "rgb"})
	require.NoError(t, err)
	require.Equal(t, data.Floats{104, 117, 123}, m.Preprocess.Mean)
	require.Nil(t, m.Preprocess.Whiten)
	_, err = read(t, trainVal, formats.Options{Order: "gbr"})
	require.ErrorContains(t, err, `the order of channels "gbr" is neither rgb nor bgr`)
}

// TestTheMeanImageIsTakenOffInTheOrderOfPictures gives a mean image that is larger than crops.
func TestTheMeanImageIsTakenOffInTheOrderOfPictures(t *testing.T) {
	x := tensorOf{[]int{1, 3, 2, 4}, make([]float32, 24)}
	for i := range x.values {
		x.values[i] = float32(i)
	}
	blob := appendBlob(nil, 1, x, true)
	_, _, n := protowire.ConsumeTag(blob)
	content, _ := protowire.ConsumeBytes(blob[n:])
	mean := write(t, "mean.binaryproto", string(content))
	net := write(t, "net.prototxt", `layer { name: "d" type: "Data" top: "data" top: "label" transform_param { crop_size: 2 mean_file: "x/mean.binaryproto" } }
		layer { name: "r" type: "ReLU" bottom: "data" top: "y" }`)
	m, err := Read(context.Background(), []string{net, mean}, formats.Options{})
	require.NoError(t, err)
	require.Equal(t, data.Floats{17, 18, 21, 22, 9, 10, 13, 14, 1, 2, 5, 6}, m.Preprocess.Mean)
	require.Equal(t, data.Augment{{Op: data.Resize, H: 2, W: 4, P: 1}, {Op: data.Crop, H: 2, W: 2, P: 1}}, m.Preprocess.Augment)
	require.Len(t, m.Lost, 1)
	require.Contains(t, m.Lost[0], "its centre of 2x2 is taken off every crop")
	m, err = Read(context.Background(), []string{net}, formats.Options{})
	require.NoError(t, err)
	require.Contains(t, m.Lost[0], `takes the mean image "mean.binaryproto" off: give that file too`)
}

// TestTheMeanOfALogisticLoss: hubel adds up the elements of a sample, and takes the mean over the
// samples. Caffe divides by the samples alone, or with normalize by the elements too.
func TestTheMeanOfALogisticLoss(t *testing.T) {
	scores, targets := []float32{0.5, -1, 2, -0.25, 0.75, 1.5}, []float32{1, 0, 0.25, 0, 1, 1}
	sum := 0.0
	for i, x := range scores {
		sum += math.Log1p(math.Exp(float64(x))) - float64(x)*float64(targets[i])
	}
	for param, want := range map[string]float64{
		"":                          sum / 2,
		"normalize: false":          sum / 2,
		"normalization: BATCH_SIZE": sum / 2,
		"normalize: true":           sum / 6,
		"normalization: VALID":      sum / 6,
		"normalization: FULL":       sum / 6,
		"normalize: true normalization: BATCH_SIZE": sum / 2,
	} {
		for weight, times := range map[string]float64{"": 1, "loss_weight: 3": 3} {
			m, err := read(t, `input: "data" input_shape { dim: 2 dim: 3 } input: "target" input_shape { dim: 2 dim: 3 }
				layer { name: "y" type: "SigmoidCrossEntropyLoss" bottom: "data" bottom: "target" top: "y" `+weight+` loss_param { `+param+` } }`, formats.Options{})
			require.NoError(t, err)
			require.Empty(t, m.Lost)
			r := reference.New()
			plan, err := m.Network.Plan(r.Traits(), graph.PlanOptions{Batch: 2, Keep: []string{"y"}})
			require.NoError(t, err)
			w, err := graph.NewWeights(m.Network, r)
			require.NoError(t, err)
			e, err := graph.NewExecutor(plan, w)
			require.NoError(t, err)
			for name, x := range map[string][]float32{"data": scores, "target": targets} {
				require.NoError(t, e.Upload(name, tensor.New(tensor.WithShape(2, 3), tensor.WithBacking(x))))
			}
			e.Forward(graph.Pass{})
			got, err := e.Read("y")
			require.NoError(t, err)
			loss := m.Network.Nodes[0].Layer.(*layers.LogisticLoss)
			factor := 1.0
			if loss.Weight != nil {
				factor = float64(*loss.Weight)
			}
			mean := float64(got.Float32s()[0]+got.Float32s()[1]) / 2
			require.InDelta(t, times*want, factor*mean, 1e-5, "%s %s", param, weight)
			require.NoError(t, e.Close())
			require.NoError(t, w.Close())
		}
	}
}

func TestLossesOfNumbersAndPairs(t *testing.T) {
	m, err := read(t, `
layer { name: "d" type: "HDF5Data" top: "data" top: "points" }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 5 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "points" top: "loss" loss_weight: 2 }`, formats.Options{Input: []int{1, 4, 4}})
	require.NoError(t, err)
	require.Equal(t, graph.Input{Name: "points", DType: device.Float32, Shape: []int{5}, Role: graph.RoleTarget}, m.Network.Inputs[1])
	require.Equal(t, []string{"ip"}, m.Network.Outputs)
	require.Equal(t, &layers.L2Loss{Weight: new(float32(2))}, m.Network.Nodes[1].Layer)

	m, err = read(t, `
input: "data" input_shape { dim: 2 dim: 2 dim: 4 dim: 4 }
layer { name: "s" type: "Slice" bottom: "data" top: "a" top: "b" }
layer { name: "ip" type: "InnerProduct" bottom: "a" top: "fa" param { name: "w" } param { name: "b" } inner_product_param { num_output: 5 } }
layer { name: "ip_p" type: "InnerProduct" bottom: "b" top: "fb" param { name: "w" } param { name: "b" } inner_product_param { num_output: 5 } }`, formats.Options{})
	require.NoError(t, err)
	require.Empty(t, m.Lost)
	require.Equal(t, map[string]string{"weight": "ip.weight", "bias": "ip.bias"}, m.Network.Nodes[2].Share)
	require.Equal(t, map[string]string{"a": "s", "b": "s:1", "fa": "ip", "fb": "ip_p"}, m.Values)
}

// TestLossesThatHubelDoesNotHaveAreLost leaves the network as it is in inference.
func TestLossesThatHubelDoesNotHaveAreLost(t *testing.T) {
	m, err := read(t, `
layer { name: "d" type: "ImageData" top: "data" top: "label" image_data_param { new_height: 8 new_width: 8 } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 3 kernel_size: 1 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "c" bottom: "label" top: "loss" }
layer { name: "ok" type: "HDF5Output" bottom: "c" }`, formats.Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"c"}, m.Network.Outputs)
	require.Len(t, m.Lost, 1)
	require.Contains(t, m.Lost[0], "its scores are of pixels, [3 8 8]")
	require.Equal(t, data.Augment{{Op: data.Resize, H: 8, W: 8, P: 1}}, m.Preprocess.Augment)
}

// TestPhasesThatDifferAreAnError: hubel has one network for both.
func TestPhases(t *testing.T) {
	head := `input: "data" input_shape { dim: 1 dim: 3 dim: 4 dim: 4 } `
	m, err := read(t, head+`
layer { name: "bn" type: "BatchNorm" bottom: "data" top: "y" batch_norm_param { use_global_stats: false } include { phase: TRAIN } }
layer { name: "bn" type: "BatchNorm" bottom: "data" top: "y" batch_norm_param { use_global_stats: true } include { phase: TEST } }
layer { name: "deploy" type: "Softmax" bottom: "y" top: "prob" include { stage: "deploy" } }
layer { name: "r" type: "ReLU" bottom: "y" top: "y" exclude { min_level: 1 } }`, formats.Options{})
	require.NoError(t, err)
	require.Len(t, m.Network.Nodes, 2)
	require.Contains(t, strings.Join(m.Facts, "\n"), `layer "deploy" (Softmax, line 4, column 1) belongs to another stage or level`)
	m, err = read(t, head+`state { level: 1 stage: "deploy" }
layer { name: "deploy" type: "Softmax" bottom: "data" top: "prob" include { stage: "deploy" not_stage: "x" max_level: 1 } }
layer { name: "r" type: "ReLU" bottom: "data" top: "y" exclude { min_level: 1 } }`, formats.Options{})
	require.NoError(t, err)
	require.Equal(t, "deploy", m.Network.Nodes[0].Name)
	for text, want := range map[string]string{
		`layer { name: "a" type: "ReLU" bottom: "data" top: "y" include { phase: TRAIN } } layer { name: "b" type: "TanH" bottom: "data" top: "y" include { phase: TEST } }`: `layer "b" (TanH, line 1, column 141): the phase TEST has it where TRAIN has layer "a" (ReLU, line 1, column 59)`,
		`layer { name: "a" type: "ReLU" bottom: "data" top: "y" include { phase: TRAIN } exclude { phase: TEST } }`:                                                          `layer "a" (ReLU, line 1, column 59): it has rules to include it and rules to exclude it`,
	} {
		_, err := read(t, head+text, formats.Options{})
		require.ErrorContains(t, err, want)
	}
}

// TestBadNetworksAreNamed has the errors of single layers.
func TestBadNetworksAreNamed(t *testing.T) {
	head := "input: \"data\" input_shape { dim: 1 dim: 3 dim: 5 dim: 5 }\n"
	for text, want := range map[string]string{
		`layer { name: "a" type: "Pythonn" bottom: "data" top: "y" }`:                                                                                    `layer "a" (Pythonn, line 2, column 1): hubel does not read layers of this type`,
		`layer { name: "a" type: "LSTM" bottom: "data" top: "y" }`:                                                                                       `layer "a" (LSTM, line 2, column 1): hubel does not read layers of this type: hubel has no recurrent layers`,
		`layer { name: "a" bottom: "data" top: "y" }`:                                                                                                    `it has no type`,
		`layer { type: "ReLU" bottom: "data" top: "y" }`:                                                                                                 `it has no name`,
		`layer { name: "a" type: "ReLU" bottom: "dat" top: "y" }`:                                                                                        `its bottom "dat" is made by no layer before it`,
		`layer { name: "a" type: "ReLU" bottom: "data" bottom: "data" top: "y" }`:                                                                        `it has 2 bottoms, and takes 1`,
		`layer { name: "a" type: "ReLU" bottom: "data" }`:                                                                                                `it has no top`,
		`layer { name: "a" type: "Eltwise" bottom: "data" top: "y" }`:                                                                                    `it has 1 bottoms, and takes 2 or more`,
		`layer { name: "a" type: "ReLU" bottom: "data" top: "y" loss_weight: 1 }`:                                                                        `loss_weight: hubel trains for losses, and ReLU is none`,
		`layer { name: "a" type: "Convolution" bottom: "data" top: "y" }`:                                                                                `layer "a" (Convolution, line 2, column 1): `,
		`layer { name: "a" type: "Convolution" bottom: "data" top: "y" convolution_param { num_output: 2 kernel_size: [1,2,3] } }`:                       `kernel_size has 3 numbers: hubel's layers are of images`,
		`layer { name: "a" type: "Convolution" bottom: "data" top: "y" convolution_param { num_output: 2 kernel_size: 9 } }`:                             `does not fit`,
		`layer { name: "a" type: "Convolution" bottom: "data" top: "y" convolution_param { num_output: 2 kernel_size: 1 kernel_h: 1 } }`:                 `kernel_size and kernel_h or kernel_w contradict each other`,
		`layer { name: "a" type: "Convolution" bottom: "data" top: "y" convolution_param { num_output: 4 kernel_size: 1 group: 2 } }`:                    `groups 2 does not divide 3 channels`,
		`layer { name: "a" type: "Pooling" bottom: "data" top: "y" pooling_param { kernel_size: 1 stride: 3 } }`:                                         `Caffe's last window lies outside of the image`,
		`layer { name: "a" type: "Pooling" bottom: "data" top: "y" pooling_param { global_pooling: true kernel_size: 2 } }`:                              `global_pooling takes no kernel, stride or pad`,
		`layer { name: "a" type: "LRN" bottom: "data" top: "y" lrn_param { local_size: 4 } }`:                                                            `local_size 4 must be odd`,
		`layer { name: "a" type: "Concat" bottom: "data" top: "y" concat_param { axis: 0 } }`:                                                            `axis 0 is the batch, and hubel's layers see one sample each`,
		`layer { name: "a" type: "Slice" bottom: "data" top: "y" top: "z" }`:                                                                             `3 elements along axis 1 are not 2 equal parts`,
		`layer { name: "a" type: "Slice" bottom: "data" top: "y" top: "z" slice_param { slice_point: 3 } }`:                                              `slice_point [3] must rise from 1 to 2`,
		`layer { name: "a" type: "Reshape" bottom: "data" top: "y" reshape_param { shape { dim: 5 dim: 15 } } }`:                                         `dim 5 in place of the batch, which is 1`,
		`layer { name: "a" type: "Reshape" bottom: "data" top: "y" reshape_param { shape { dim: -1 dim: 15 } } }`:                                        `its dims make other samples of the batch`,
		`layer { name: "a" type: "Reshape" bottom: "data" top: "y" reshape_param { shape { dim: 0 dim: 7 } } }`:                                          `does not hold the 75 elements`,
		`layer { name: "a" type: "Exp" bottom: "data" top: "y" exp_param { base: -3 } }`:                                                                 `base -3 must be above 0`,
		`layer { name: "a" type: "InnerProduct" bottom: "data" top: "y" inner_product_param { num_output: 3 axis: 2 } }`:                                 `axis 2: hubel's dense layer takes all axes behind the batch`,
		`layer { name: "a" type: "Dropout" bottom: "data" top: "y" dropout_param { dropout_ratio: 1 } }`:                                                 `p 1 must be in [0,1)`,
		`layers { layer { name: "a" type: "relus" } bottom: "data" top: "y" }`:                                                                           `the type is none of the first version of Caffe's`,
		`layers { layer { name: "p" type: "padding" pad: 1 } bottom: "data" top: "p" } layers { layer { name: "a" type: "relu" } bottom: "p" top: "y" }`: `it reads the padding "p", which only a convolution or pooling can`,
		`layers { name: "a" type: RELU bottom: "data" top: "y" } layer { name: "b" type: "ReLU" bottom: "y" top: "z" }`:                                  `there are layers {} of Caffe's old form beside layer {} of the new one`,
		`name: "x"`: `the network has no layers`,
	} {
		_, err := read(t, head+text, formats.Options{})
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "\n")
	}
	for text, want := range map[string]string{
		`layer { name: "d" type: "Data" top: "data" } layer { name: "r" type: "ReLU" bottom: "data" top: "y" }`:          `the file does not say how large its samples "data" are: give the shape of one, such as -input 1x28x28`,
		`layer { name: "d" type: "Input" top: "data" } layer { name: "r" type: "ReLU" bottom: "data" top: "y" }`:         `the file does not say what shape it has`,
		`input: "data" input_dim: 1 input_dim: 3 layer { name: "r" type: "ReLU" bottom: "data" top: "y" }`:               `there are 1 inputs, 0 input_shape and 2 input_dim`,
		`input: "data" input_shape { dim: 1 dim: 99999999999 } layer { name: "r" type: "ReLU" bottom: "data" top: "y" }`: `each length must be at least 1`,
	} {
		_, err := read(t, text, formats.Options{})
		require.ErrorContains(t, err, want, text)
	}
}

// TestWeightsThatDoNotFitNameBoth gives weights of other layers and shapes.
func TestWeightsThatDoNotFitNameBoth(t *testing.T) {
	net := write(t, "net.prototxt", `input: "data" input_shape { dim: 1 dim: 3 dim: 5 dim: 5 }
layer { name: "c" type: "Convolution" bottom: "data" top: "y" convolution_param { num_output: 2 kernel_size: 1 } }`)
	for want, weights := range map[string][]named{
		`the weights have no layer of this name with tensors`:                               {{"d", []tensorOf{normal(1, 2)}}},
		`it has 2 tensors, and the weights have 1 for it`:                                   {{"c", []tensorOf{normal(1, 2, 3, 1, 1)}}},
		`its tensor 0 has the shape [2 3 1 1] in the network, and [2 1 1 3] in the weights`: {{"c", []tensorOf{normal(1, 2, 1, 1, 3), normal(2, 2)}}},
		`a tensor of the shape [2 3 1 1] has 5 numbers`:                                     {{"c", []tensorOf{{[]int{2, 3, 1, 1}, make([]float32, 5)}, normal(2, 2)}}},
	} {
		for _, old := range []bool{false, true} {
			model := write(t, "net.caffemodel", string(caffemodel(weights, old)))
			_, err := Read(context.Background(), []string{net, model}, formats.Options{})
			require.ErrorContains(t, err, `net.caffemodel: `)
			require.ErrorContains(t, err, want)
		}
	}
	model := write(t, "net.caffemodel", string(caffemodel([]named{{"c", []tensorOf{normal(1, 2, 3, 1, 1), normal(2, 2)}}, {"e", []tensorOf{normal(1, 1)}}}, true)))
	m, err := Read(context.Background(), []string{model, net}, formats.Options{})
	require.NoError(t, err)
	require.Equal(t, "Caffe, text, layers of version 2; weights of version 1", m.Format)
	require.Contains(t, m.Facts, `the weights of layer "e" are left out: the network has no such layer`)
}

func TestFilesAreTold(t *testing.T) {
	png := "\x89PNG\r\n\x1a\n0000"
	onnx := "\x08\x07\x12\x07pytorch\x1a\x032.1\x3a\x10"
	for _, c := range []struct {
		head, name string
		is         fileKind
	}{
		{"name: \"x\"\nlayer {", "a.txt", netText}, {"# a comment\n\nbase_lr: 0.1", "a", netText}, {"layers {\n", "a", netText},
		{"hello: world", "a.txt", otherFile}, {"{\"layers\": []}", "a.json", otherFile}, {"", "a", otherFile}, {"anything", "a.prototxt", netText},
		{png, "a.png", otherFile}, {onnx, "a.onnx", otherFile}, {"PK\x03\x04aaaaaaaaa", "a.pt", otherFile},
		{string(caffemodel([]named{{"c", nil}}, false)), "a", weightsFile}, {string(caffemodel([]named{{"c", nil}}, true)), "a.caffemodel", weightsFile},
		{"\x08\x01\x10\x03\x18\x20\x20\x20\x2a\x04", "a", meanFile},
		{"\x08\xa0\x1f\x12\x0cx.caffemodel\x1a\x00", "a", stateFile}, {"\x08\xa0\x1f\x1a\x00", "a.solverstate", stateFile},
	} {
		require.Equal(t, c.is, kindOf([]byte(c.head), c.name), "%q %s", c.head, c.name)
	}
	for name, text := range map[string]string{"a.png": png, "b.json": "{}", "c": ""} {
		_, err := Read(context.Background(), []string{write(t, name, text)}, formats.Options{})
		require.Error(t, err)
	}
	_, err := Read(context.Background(), []string{write(t, "s.prototxt", `net: "x/net.prototxt" base_lr: 1`)}, formats.Options{})
	require.ErrorContains(t, err, `is a solver, whose network is in "x/net.prototxt": give that file too`)
	net := write(t, "net.prototxt", trainVal)
	_, err = Read(context.Background(), []string{net, net}, formats.Options{})
	require.ErrorContains(t, err, "it is a second network: give one")
	_, err = Read(context.Background(), []string{filepath.Join(t.TempDir(), "none.prototxt")}, formats.Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	m, err := Read(context.Background(), []string{net, write(t, "s.prototxt", `net: "x/net.prototxt" base_lr: 0.5 lr_policy: "fixed" max_iter: 7`)}, formats.Options{})
	require.NoError(t, err)
	require.Contains(t, m.Facts, "train as the solver does: train -lr=0.5 -momentum=0 -decay=0 -iters=7")
}
