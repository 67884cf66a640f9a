package models_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/models"
	"github.com/hubel-go/hubel/solver"
)

func build(t *testing.T, name string, o models.Options) *graph.Network {
	n, err := models.Build(name, o)
	require.NoError(t, err)
	return n
}

func plan(t *testing.T, n *graph.Network, o graph.PlanOptions) *graph.Plan {
	p, err := n.Plan(reference.New().Traits(), o)
	require.NoError(t, err)
	return p
}

// parameters counts what is trained.
func parameters(p *graph.Plan) (count int) {
	for _, param := range p.Params {
		count += device.Elements(param.Shape)
	}
	return count
}

func TestNames(t *testing.T) {
	require.Equal(t, []string{"alexnet", "alexnet-onetower", "caffenet", "cifar10-full", "cifar10-quick", "densenet121", "googlenet", "lenet", "lenet5",
		"mobilenet-v1", "mobilenet-v2", "net1", "net2", "nin", "resnet18", "resnet34", "resnet50", "squeezenet1.0", "squeezenet1.1", "tiny-vgg", "vgg16", "xresnet18", "xresnet18-half", "zfnet"}, models.Names())
}

// TestParameters holds the published counts.
func TestParameters(t *testing.T) {
	for _, c := range []struct {
		name    string
		options models.Options
		want    int
	}{
		{"lenet", models.Options{}, 431_080},
		{"lenet5", models.Options{}, 61_706},
		{"lenet5", models.Options{Shape: []int{1, 32, 32}}, 61_706},
		{"alexnet", models.Options{}, 60_965_224},
		{"alexnet", models.Options{Init: "caffe"}, 60_965_224},
		{"alexnet", models.Options{Init: "msra"}, 60_965_224},
		{"alexnet", models.Options{Classes: 10}, 60_965_224 - 990*4097},
		{"alexnet-onetower", models.Options{}, 62_378_344},
		{"caffenet", models.Options{}, 60_965_224},
		{"zfnet", models.Options{}, 62_357_608},
		{"vgg16", models.Options{}, 138_357_544},
		{"tiny-vgg", models.Options{}, 2_168_362},
		{"nin", models.Options{}, 966_986},
		{"squeezenet1.0", models.Options{}, 1_248_424},
		{"squeezenet1.1", models.Options{}, 1_235_496},
		{"googlenet", models.Options{}, 13_378_280},
		{"cifar10-quick", models.Options{}, 145_578},
		{"cifar10-full", models.Options{}, 89_578},
		{"resnet18", models.Options{}, 11_689_512},
		{"resnet34", models.Options{}, 21_797_672},
		{"resnet50", models.Options{}, 25_557_032},
		{"xresnet18", models.Options{}, 11_708_744},
		{"xresnet18-half", models.Options{}, 3_058_584},
		{"mobilenet-v1", models.Options{}, 4_231_976},
		{"mobilenet-v2", models.Options{}, 3_504_872},
		{"densenet121", models.Options{}, 7_978_856},
		{"net1", models.Options{}, 924_730},
		{"net2", models.Options{}, 8_051_502},
	} {
		p := plan(t, build(t, c.name, c.options), graph.PlanOptions{Mode: graph.Train, Batch: 1})
		require.Equal(t, c.want, parameters(p), "%s %+v", c.name, c.options)
	}
}

// TestShapes follows one image through each network.
func TestShapes(t *testing.T) {
	for name, want := range map[string]map[string][]int{
		"lenet":  {"conv1": {20, 24, 24}, "pool1": {20, 12, 12}, "conv2": {50, 8, 8}, "pool2": {50, 4, 4}, "ip1": {500}, "prob": {10}},
		"lenet5": {"conv1": {6, 28, 28}, "pool1": {6, 14, 14}, "conv2": {16, 10, 10}, "pool2": {16, 5, 5}, "conv3": {120, 1, 1}, "fc4": {84}, "prob": {10}},
		"alexnet": {"conv1": {96, 55, 55}, "pool1": {96, 27, 27}, "conv2": {256, 27, 27}, "pool2": {256, 13, 13}, "conv3": {384, 13, 13},
			"conv4": {384, 13, 13}, "conv5": {256, 13, 13}, "pool5": {256, 6, 6}, "fc6": {4096}, "fc7": {4096}, "fc8": {1000}, "prob": {1000}, "top5": {}},
		"caffenet":      {"pool1": {96, 27, 27}, "norm2": {256, 13, 13}, "pool5": {256, 6, 6}, "fc8": {1000}},
		"zfnet":         {"conv1": {96, 110, 110}, "pool1": {96, 55, 55}, "conv2": {256, 26, 26}, "pool2": {256, 13, 13}, "pool5": {256, 6, 6}, "fc8": {1000}},
		"vgg16":         {"pool1": {64, 112, 112}, "pool3": {256, 28, 28}, "conv5_3": {512, 14, 14}, "pool5": {512, 7, 7}, "fc7": {4096}},
		"tiny-vgg":      {"pool1": {32, 16, 16}, "pool2": {64, 8, 8}, "fc3": {512}, "fc4": {10}},
		"nin":           {"cccp2": {96, 32, 32}, "pool1": {96, 16, 16}, "pool2": {192, 8, 8}, "cccp6": {10, 8, 8}, "scores": {10}},
		"squeezenet1.0": {"conv1": {96, 109, 109}, "pool1": {96, 54, 54}, "fire4_concat": {256, 54, 54}, "pool4": {256, 27, 27}, "fire8_concat": {512, 27, 27}, "pool8": {512, 13, 13}, "conv10": {1000, 13, 13}, "scores": {1000}},
		"squeezenet1.1": {"conv1": {64, 111, 111}, "pool1": {64, 55, 55}, "pool3": {128, 27, 27}, "fire5_concat": {256, 27, 27}, "pool5": {256, 13, 13}, "conv10": {1000, 13, 13}},
		"googlenet": {"conv1": {64, 112, 112}, "pool2": {192, 28, 28}, "inception_3b_output": {480, 28, 28}, "inception_4a_output": {512, 14, 14}, "loss1_ave_pool": {512, 4, 4},
			"inception_4d_output": {528, 14, 14}, "pool4": {832, 7, 7}, "inception_5b_output": {1024, 7, 7}, "loss3_classifier": {1000}, "loss2": {}},
		"cifar10-full": {"norm2": {32, 8, 8}, "pool3": {64, 4, 4}, "ip1": {10}},
		"resnet18":     {"pool1": {64, 56, 56}, "layer2_0_add": {128, 28, 28}, "layer4_1_relu": {512, 7, 7}, "fc": {1000}},
		"resnet34":     {"layer3_5_add": {256, 14, 14}, "layer4_2_relu": {512, 7, 7}},
		"resnet50":     {"layer1_2_relu": {256, 56, 56}, "layer2_0_conv2_bn": {128, 28, 28}, "layer4_2_relu": {2048, 7, 7}, "avgpool": {2048, 1, 1}},
		"xresnet18": {"conv1_3_relu": {64, 112, 112}, "pool1": {64, 56, 56}, "layer2_0_pool": {64, 28, 28}, "layer2_0_downsample": {128, 28, 28},
			"layer3_0_add": {256, 14, 14}, "layer4_1_relu": {512, 7, 7}, "fc": {1000}},
		"xresnet18-half": {"conv1_1": {16, 112, 112}, "conv1_3": {32, 112, 112}, "layer4_1_relu": {256, 7, 7}},
		"mobilenet-v1":   {"relu1": {32, 112, 112}, "conv14_relu_pw": {1024, 7, 7}, "fc": {1000}},
		"mobilenet-v2":   {"block1_project_bn": {16, 112, 112}, "block13_add": {96, 14, 14}, "relu2": {1280, 7, 7}},
		"densenet121":    {"block1_6_concat": {256, 56, 56}, "transition3_pool": {512, 7, 7}, "block4_16_concat": {1024, 7, 7}},
		"cifar10-quick":  {"pool1": {32, 16, 16}, "pool2": {32, 8, 8}, "pool3": {64, 4, 4}, "ip1": {64}},
		"net1":           {"hidden": {100}, "output": {30}},
		"net2":           {"conv1": {32, 94, 94}, "pool1": {32, 47, 47}, "conv2": {64, 46, 46}, "pool2": {64, 23, 23}, "conv3": {128, 22, 22}, "pool3": {128, 11, 11}, "hidden4": {500}, "output": {30}},
	} {
		var keep []string
		for value := range want {
			keep = append(keep, value)
		}
		p := plan(t, build(t, name, models.Options{}), graph.PlanOptions{Batch: 3, Keep: keep})
		for _, v := range p.Values {
			if shape, ok := want[v.Name]; ok {
				require.Equal(t, append([]int{3}, shape...), []int(v.Shape), "%s %s", name, v.Name)
				delete(want, v.Name)
			}
		}
		require.Empty(t, want, name)
	}
}

// TestValues are the inputs, nodes and outputs that every caller counts on.
func TestValues(t *testing.T) {
	for _, name := range models.Names() {
		n := build(t, name, models.Options{})
		nodes := map[string]string{}
		for _, node := range n.Nodes {
			nodes[node.Name] = node.Layer.Type()
		}
		require.Equal(t, "data", n.Inputs[0].Name)
		require.Equal(t, graph.RoleImage, n.Inputs[0].Role)
		require.Len(t, n.Inputs, 2)
		if name == "net1" || name == "net2" {
			require.Equal(t, graph.Input{Name: "target", DType: device.Float32, Shape: []int{30}, Role: graph.RoleTarget}, n.Inputs[1])
			require.Empty(t, n.Metrics)
			require.Equal(t, []string{"output"}, n.Outputs)
			require.Equal(t, "l2-loss", nodes["loss"])
			continue
		}
		require.Equal(t, graph.Input{Name: "label", DType: device.Int32, Role: graph.RoleLabel}, n.Inputs[1])
		require.Equal(t, []string{"prob"}, n.Outputs)
		require.Equal(t, "softmax-loss", nodes["loss"])
		require.Equal(t, "accuracy", nodes["accuracy"])
		require.Equal(t, graph.Metric{Value: "accuracy", Better: graph.Higher}, n.Metrics[0])
		large := n.Inputs[0].Shape[1] > 200 // of ImageNet's classes
		require.Equal(t, large, nodes["top5"] != "", name)
	}
	for _, node := range build(t, "alexnet", models.Options{Classes: 5}).Nodes {
		require.NotEqual(t, "top5", node.Name)
	}
}

func TestJSONRoundTrip(t *testing.T) {
	for _, name := range models.Names() {
		n := build(t, name, models.Options{})
		b, err := json.Marshal(n)
		require.NoError(t, err)
		same, err := graph.ReadJSON(strings.NewReader(string(b)))
		require.NoError(t, err)
		require.Equal(t, n, same)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name    string
		options models.Options
		want    string
	}{
		{"resnext", models.Options{}, `network "resnext" is unknown; there are ` + strings.Join(models.Names(), ", ")},
		{"lenet", models.Options{Classes: -1}, "network lenet: classes -1 must not be negative"},
		{"lenet", models.Options{Shape: []int{28, 28}}, "network lenet: shape [28 28] is not channels, height and width of an image"},
		{"lenet", models.Options{Shape: []int{1, 0, 28}}, "network lenet: shape [1 0 28] is not channels, height and width of an image"},
		{"lenet", models.Options{Init: "caffe"}, `network lenet: init "caffe": this network has one initialisation only`},
		{"alexnet", models.Options{Init: "he"}, `network alexnet: init "he" is unknown; there are paper, caffe, msra`},
	} {
		_, err := models.Build(c.name, c.options)
		require.EqualError(t, err, c.want)
	}
	n := build(t, "alexnet", models.Options{Shape: []int{3, 32, 32}})
	_, err := n.Plan(reference.New().Traits(), graph.PlanOptions{Batch: 1})
	require.ErrorContains(t, err, "pool5: a window of 3x3 does not fit")
}

// TestAlexNetInit compares the initialisations with the paper's section 5,
// Caffe's models/bvlc_alexnet, and He et al. 2015.
func TestAlexNetInit(t *testing.T) {
	for init, c := range map[string]struct {
		bias           float32
		weight, hidden layers.Filler
		rate, decay    float32
		norm           layers.LRN
	}{
		"msra":  {0, layers.MSRA(), layers.MSRA(), 1, 1, layers.LRN{Size: 5, Alpha: new(float32(1e-4)), Beta: new(float32(0.75)), K: 2}},
		"paper": {1, layers.Gaussian(0.01), layers.Gaussian(0.01), 1, 1, layers.LRN{Size: 5, Alpha: new(float32(1e-4)), Beta: new(float32(0.75)), K: 2}},
		"caffe": {0.1, layers.Gaussian(0.01), layers.Gaussian(0.005), 2, 0, layers.LRN{Size: 5, Alpha: new(float32(1e-4)), Beta: new(float32(0.75)), K: 1, AlphaOverSize: true}},
	} {
		n := build(t, "alexnet", models.Options{Init: init})
		for _, p := range plan(t, n, graph.PlanOptions{Mode: graph.Train, Batch: 1}).Params {
			layer, param, _ := strings.Cut(p.Name, ".")
			if param == "bias" {
				want := layers.Constant(0)
				if strings.Contains("conv2 conv4 conv5 fc6 fc7", layer) {
					want = layers.Constant(c.bias)
				}
				require.Equal(t, want, p.Filler, p.Name)
				require.Equal(t, [2]float32{c.rate, c.decay}, [2]float32{p.Rate, p.Decay}, p.Name)
				continue
			}
			want := c.weight
			switch layer {
			case "fc6", "fc7":
				want = c.hidden
			case "fc8":
				want = layers.Gaussian(0.01)
			}
			require.Equal(t, want, p.Filler, p.Name)
			require.Equal(t, [2]float32{1, 1}, [2]float32{p.Rate, p.Decay}, p.Name)
		}
		for _, node := range n.Nodes {
			if node.Layer.Type() == "lrn" {
				require.Equal(t, &c.norm, node.Layer)
			}
		}
	}
}

func openCPU(t *testing.T) device.Device {
	d, err := cpu.New(2)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// executor compiles a network, with filled weights.
func executor(t *testing.T, d device.Device, n *graph.Network, o graph.PlanOptions) *graph.Executor {
	p, err := n.Plan(d.Traits(), o)
	require.NoError(t, err)
	w, err := graph.NewWeights(n, d)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	require.NoError(t, w.Fill(1))
	e, err := graph.NewExecutor(p, w)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// upload gives a network noise, labels and targets.
func upload(t *testing.T, e *graph.Executor) {
	for i, in := range e.Plan().Network.Inputs {
		shape := append(tensor.Shape{e.Batch()}, in.Shape...)
		x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(shape...))
		if in.DType == device.Int32 {
			x = tensor.New(tensor.Of(tensor.Int32), tensor.WithShape(shape...))
			for k, labels := 0, x.Int32s(); k < len(labels); k++ {
				labels[k] = int32(7*k) % 10
			}
		} else {
			layers.Gaussian(1).Fill(x.Float32s(), layers.Fan{}, device.Random{Seed: 9, Stream: uint32(i)})
		}
		require.NoError(t, e.Upload(in.Name, x))
	}
	require.NoError(t, e.Sync())
}

// TestInitialLoss sets the last layer to zero: all classes are then equally
// likely, and the loss is ln C. A regression predicts 0, and its loss is half
// the sum of the targets' squares.
func TestInitialLoss(t *testing.T) {
	for name, last := range map[string]string{"lenet": "ip2", "lenet5": "fc5", "alexnet": "fc8", "net2": "output"} {
		t.Run(name, func(t *testing.T) {
			n := build(t, name, models.Options{})
			e := executor(t, openCPU(t), n, graph.PlanOptions{Batch: 2, Keep: []string{"loss"}})
			for _, param := range []string{last + ".weight", last + ".bias"} {
				zero := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(e.Weights().Shape(param)...))
				require.NoError(t, e.Weights().Set(param, zero))
			}
			upload(t, e)
			e.Forward(graph.Pass{})
			loss, err := e.Loss()
			require.NoError(t, err)
			want := map[string]float64{"lenet": math.Log(10), "lenet5": math.Log(10), "alexnet": math.Log(1000)}[name]
			if name == "net2" {
				targets := make([]float32, 60)
				layers.Gaussian(1).Fill(targets, layers.Fan{}, device.Random{Seed: 9, Stream: 1})
				for _, v := range targets {
					want += float64(v*v) / 4 // halved, over two samples
				}
			}
			require.InDelta(t, want, loss, 1e-5)
		})
	}
}

// TestAlexNetStep takes one step of descent on eight images of noise. The
// paper's initialisation starts above ln 1000, and the step lowers the loss
// of the same images under the same dropout.
func TestAlexNetStep(t *testing.T) {
	n := build(t, "alexnet", models.Options{})
	d := openCPU(t)
	e := executor(t, d, n, graph.PlanOptions{Mode: graph.Train, Batch: 8})
	u, err := solver.NewUpdater(d, e, solver.Optimiser{Schedule: solver.Schedule{Policy: solver.Fixed, Rate: 0.001}, Momentum: 0.9, Decay: 5e-4})
	require.NoError(t, err)
	defer func() { require.NoError(t, u.Close()) }()
	upload(t, e)
	pass := graph.Pass{Seed: 4}
	e.Forward(pass)
	before, err := e.Loss()
	require.NoError(t, err)
	require.InDelta(t, 7.7, before, 0.9)

	e.Backward(pass, device.Overwrite)
	u.Update(0)
	upload(t, e) // backward may have written over it
	e.Forward(pass)
	after, err := e.Loss()
	require.NoError(t, err)
	require.Less(t, after, before)
}

// What was published for the pixels' own range says so, unless it begins otherwise.
func TestRawPixels(t *testing.T) {
	for _, name := range models.Names() {
		want := strings.HasPrefix(name, "alexnet") || strings.HasPrefix(name, "cifar10") || name == "caffenet" || name == "googlenet"
		require.Equal(t, want, models.RawPixels(name, ""), name)
		require.False(t, models.RawPixels(name, "msra"))
	}
	require.False(t, models.RawPixels("", ""), "a network from a file")
}

// TestXResNet holds what the weights and the labels of He et al. 2019 begin with: blocks that
// are their shortcuts, and a smoothing of 0.1.
func TestXResNet(t *testing.T) {
	for _, name := range []string{"xresnet18", "xresnet18-half", "resnet18"} {
		n := build(t, name, models.Options{})
		zeros, ones := 0, 0
		for _, p := range plan(t, n, graph.PlanOptions{Mode: graph.Train, Batch: 1}).Params {
			if !strings.HasSuffix(p.Name, "_bn.weight") {
				continue
			}
			last := strings.HasPrefix(name, "x") && strings.HasSuffix(p.Name, "_conv2_bn.weight")
			if last {
				require.Equal(t, layers.Constant(0), p.Filler, p.Name)
				zeros++
			} else {
				require.Equal(t, layers.Constant(1), p.Filler, p.Name)
				ones++
			}
		}
		smoothing := float32(0)
		for _, node := range n.Nodes {
			if loss, ok := node.Layer.(*layers.SoftmaxLoss); ok {
				smoothing = loss.Smoothing
			}
		}
		if name == "resnet18" {
			require.Equal(t, [2]int{0, 20}, [2]int{zeros, ones})
			require.Zero(t, smoothing)
		} else {
			require.Equal(t, [2]int{8, 14}, [2]int{zeros, ones})
			require.Equal(t, float32(0.1), smoothing)
		}
	}
}
