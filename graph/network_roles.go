package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// Role says what an input of a network takes from the samples of a data set.
type Role string

// The roles. Code that feeds a network looks at roles, not at names.
const (
	RoleImage  Role = "image"  // float32, [C,H,W] of a sample
	RoleLabel  Role = "label"  // int32, the number of a class; without a shape
	RoleTarget Role = "target" // float32, [T] of a sample: numbers to predict
)

// roles lists them.
var roles = []Role{RoleImage, RoleLabel, RoleTarget}

// roleNames are the roles as messages have them.
func roleNames() string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}

// Image adds the input of images and returns its name. The shape is [C,H,W].
func (n *Network) Image(name string, shape ...int) string {
	n.Inputs = append(n.Inputs, Input{Name: name, DType: device.Float32, Shape: shape, Role: RoleImage})
	return name
}

// Label adds the input of the classes of samples and returns its name.
func (n *Network) Label(name string) string {
	n.Inputs = append(n.Inputs, Input{Name: name, DType: device.Int32, Role: RoleLabel})
	return name
}

// Target adds the input of the numbers to predict, the given count per sample,
// and returns its name.
func (n *Network) Target(name string, numbers int) string {
	n.Inputs = append(n.Inputs, Input{Name: name, DType: device.Float32, Shape: []int{numbers}, Role: RoleTarget})
	return name
}

// InputOf finds the input of a role. It is an error if there is none, or more than
// one.
func (n *Network) InputOf(role Role) (Input, error) {
	first := slices.IndexFunc(n.Inputs, func(in Input) bool { return in.Role == role })
	if first < 0 {
		return Input{}, fmt.Errorf("%v has no input of the role %q: give it to the one that takes them, \"role\": %q in JSON", n, role, role)
	}
	for _, in := range n.Inputs[first+1:] {
		if in.Role == role {
			return Input{}, fmt.Errorf("%v has two inputs of the role %q, %s and %s: keep one, which any number of layers can read", n, role, n.Inputs[first].Name, in.Name)
		}
	}
	return n.Inputs[first], nil
}

// Better says which of two numbers of a metric is the better one.
type Better string

// Higher values are better, or lower ones.
const (
	Higher Better = "higher"
	Lower  Better = "lower"
)

// Metric is a value of a network that tests report: the mean over all samples
// of one number per sample. It has the name of the value.
type Metric struct {
	Value  string `json:"value"` // of a layer, [N]
	Better Better `json:"better"`
}

// Metric adds a value as a metric, and says whether higher or lower numbers are
// better.
func (n *Network) Metric(value string, better Better) {
	n.Metrics = append(n.Metrics, Metric{Value: value, Better: better})
}

// Hits returns the accuracy layer of a metric, and the inputs of that layer.
// Such a metric is a share of the samples, from 0 to 1. For any other metric
// Hits returns nil.
func (n *Network) Hits(m Metric) (l *layers.Accuracy, in []string) {
	for _, node := range n.Nodes {
		if l, ok := node.Layer.(*layers.Accuracy); ok && node.Name == m.Value {
			return l, node.In
		}
	}
	return nil, nil
}

// checkRoles says what is wrong with the roles of inputs and with the metrics, if
// anything.
func (n *Network) checkRoles() error {
	for _, in := range n.Inputs {
		fits, takes := true, ""
		switch in.Role {
		case "":
		case RoleImage:
			fits, takes = in.DType == device.Float32, "float32"
		case RoleLabel:
			fits, takes = in.DType == device.Int32 && len(in.Shape) == 0, "int32 and the shape []"
		case RoleTarget:
			fits, takes = in.DType == device.Float32 && len(in.Shape) == 1, "float32 and a shape of one number"
		default:
			return fmt.Errorf("%v: input %s has the role %.20q; there are %s", n, in.Name, in.Role, roleNames())
		}
		if !fits {
			return fmt.Errorf("%v: input %s is %v of the shape %v; the role %q takes %s", n, in.Name, in.DType, in.Shape, in.Role, takes)
		}
	}
	if len(n.Metrics) > maxMetrics {
		return fmt.Errorf("%v has %d metrics; at most %d are allowed", n, len(n.Metrics), maxMetrics)
	}
	for i, m := range n.Metrics {
		node, _, _ := strings.Cut(m.Value, ":")
		switch {
		case !slices.ContainsFunc(n.Nodes, func(x Node) bool { return x.Name == node }):
			return fmt.Errorf("%v: the metric %.40q is no layer's output: name a layer that makes one number a sample, such as one of the type accuracy", n, m.Value)
		case m.Better != Higher && m.Better != Lower:
			return fmt.Errorf("%v: of the metric %s, better is %.20q: say %q or %q", n, m.Value, m.Better, Higher, Lower)
		case slices.ContainsFunc(n.Metrics[:i], func(x Metric) bool { return x.Value == m.Value }):
			return fmt.Errorf("%v: the metric %s is there twice: keep one", n, m.Value)
		}
	}
	return nil
}
