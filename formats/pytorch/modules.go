package pytorch

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// family is networks of torchvision whose modules are named alike.
type family struct {
	networks []string // as models.Torchvision has them
	last     string   // the module whose weight has a row for each class
	modules  func(n *graph.Network) map[string]string
}

// families are those of models.Torchvision.
var families = []family{
	{[]string{"resnet18", "resnet34", "resnet50", "resnet101", "resnet152"}, "fc", byRules(
		`^conv1$`, "conv1",
		`^conv1_bn$`, "bn1",
		`^layer(\d+)_(\d+)_conv(\d)$`, "layer$1.$2.conv$3",
		`^layer(\d+)_(\d+)_conv(\d)_bn$`, "layer$1.$2.bn$3",
		`^layer(\d+)_(\d+)_downsample$`, "layer$1.$2.downsample.0",
		`^layer(\d+)_(\d+)_downsample_bn$`, "layer$1.$2.downsample.1",
		`^fc$`, "fc",
	)},
	{[]string{"vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn", "alexnet"}, "classifier.6", inSequence},
	{[]string{"squeezenet1_0", "squeezenet1_1"}, "classifier.1", inSequence},
	{[]string{"mobilenet_v2"}, "classifier.1", byRules(
		`^conv1$`, "features.0.0",
		`^conv1_bn$`, "features.0.1",
		`^block1_depthwise$`, "features.1.conv.0.0", // the first block has no expansion
		`^block1_depthwise_bn$`, "features.1.conv.0.1",
		`^block1_project$`, "features.1.conv.1",
		`^block1_project_bn$`, "features.1.conv.2",
		`^block(\d+)_expand$`, "features.$1.conv.0.0",
		`^block(\d+)_expand_bn$`, "features.$1.conv.0.1",
		`^block(\d+)_depthwise$`, "features.$1.conv.1.0",
		`^block(\d+)_depthwise_bn$`, "features.$1.conv.1.1",
		`^block(\d+)_project$`, "features.$1.conv.2",
		`^block(\d+)_project_bn$`, "features.$1.conv.3",
		`^conv2$`, "features.18.0",
		`^conv2_bn$`, "features.18.1",
		`^fc$`, "classifier.1",
	)},
	{[]string{"densenet121", "densenet161", "densenet169", "densenet201"}, "classifier", denseNetModules},
	{[]string{"googlenet", "googlenet_aux"}, "fc", byRules(
		`^(conv\d)$`, "$1.conv",
		`^(conv\d)_bn$`, "$1.bn",
		`^(aux\d)_conv$`, "$1.conv.conv",
		`^(aux\d)_conv_bn$`, "$1.conv.bn",
		`^(inception\d\w)_(branch1)$`, "$1.$2.conv",
		`^(inception\d\w)_(branch1)_bn$`, "$1.$2.bn",
		`^(inception\d\w)_(branch\d)_(\d)$`, "$1.$2.$3.conv",
		`^(inception\d\w)_(branch\d)_(\d)_bn$`, "$1.$2.$3.bn",
		`^(aux\d)_(fc\d)$`, "$1.$2",
		`^fc$`, "fc",
	)},
}

var denseNetModules = byRules(
	`^conv0$`, "features.conv0",
	`^conv0_bn$`, "features.norm0",
	`^block(\d+)_(\d+)_conv(\d)$`, "features.denseblock$1.denselayer$2.conv$3",
	`^block(\d+)_(\d+)_conv(\d)_bn$`, "features.denseblock$1.denselayer$2.norm$3",
	`^transition(\d+)$`, "features.transition$1.conv",
	`^transition(\d+)_bn$`, "features.transition$1.norm",
	`^norm5_bn$`, "features.norm5",
	`^fc$`, "classifier",
)

// byRules names modules by pairs of a regular expression for the name of a layer, and what
// the module is called. Layers that none fits have no name.
func byRules(pairs ...string) func(*graph.Network) map[string]string {
	type rule struct {
		layer  *regexp.Regexp
		module string
	}
	var rules []rule
	for i := 0; i < len(pairs); i += 2 {
		rules = append(rules, rule{regexp.MustCompile(pairs[i]), regexp.MustCompile(`\$(\d)`).ReplaceAllString(pairs[i+1], "$${$1}")})
	}
	return func(n *graph.Network) map[string]string {
		modules := map[string]string{}
		for _, node := range n.Nodes {
			for _, r := range rules {
				if r.layer.MatchString(node.Name) {
					modules[node.Name] = r.layer.ReplaceAllString(node.Name, r.module)
					break
				}
			}
		}
		return modules
	}
}

// inSequence names modules by their places in the sequences features and classifier, which
// begins with the first dense layer or dropout. The layers of a fire module
// are one.
func inSequence(n *graph.Network) map[string]string {
	modules := map[string]string{}
	sequence, place, fire := "features", -1, ""
	for _, node := range n.Nodes {
		module, part, ok := strings.Cut(node.Name, "_")
		if !ok || !strings.HasPrefix(module, "fire") {
			module, part = "", ""
		}
		if module == "" || module != fire {
			place++
		}
		fire = module
		switch node.Layer.(type) {
		case *layers.AdaptivePool: // stands between the sequences
			place--
		case *layers.Dense, *layers.Dropout:
			if sequence == "features" {
				sequence, place = "classifier", 0
			}
		}
		name := fmt.Sprintf("%s.%d", sequence, place)
		if part != "" {
			name = join(name, part)
		}
		modules[node.Name] = name
	}
	return modules
}

// named is a network of torchvision with the modules of its layers.
type named struct {
	network *graph.Network
	nodes   []node
	modules map[string]string // by layer
}

// nameModules gives a network the modules of its layers.
func nameModules(n *graph.Network, modules map[string]string) (*named, error) {
	nodes, err := nodesOf(n)
	return &named{n, nodes, modules}, err
}
