package graph_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// judged is a network with all roles and two metrics, none of which has the name
// that it had before names said nothing.
func judged() *graph.Network {
	n := &graph.Network{Name: "judged"}
	x := n.Add("fc", &layers.Dense{Out: 3}, n.Image("picture", 1, 2, 2))
	class := n.Label("kind")
	n.Add("loss", &layers.SoftmaxLoss{}, x, class)
	n.Metric(n.Add("hits", &layers.Accuracy{}, x, class), graph.Higher)
	n.Metric(n.Add("distance", &layers.L2Loss{}, x, n.Target("where", 3)), graph.Lower)
	n.Outputs = []string{x}
	return n
}

func TestRolesInJSON(t *testing.T) {
	n := judged()
	text, err := json.Marshal(n)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(text), `{"version":1,"name":"judged","inputs":[{"name":"picture","dtype":"float32","shape":[1,2,2],"role":"image"},`), "%s", text)
	require.Contains(t, string(text), `"metrics":[{"value":"hits","better":"higher"},{"value":"distance","better":"lower"}]}`)
	back, err := graph.ReadJSON(strings.NewReader(string(text)))
	require.NoError(t, err)
	require.Equal(t, n, back)

	l, in := n.Hits(n.Metrics[0])
	require.Equal(t, &layers.Accuracy{}, l)
	require.Equal(t, []string{"fc", "kind"}, in)
	l, _ = n.Hits(n.Metrics[1])
	require.Nil(t, l, "a distance is no share of the samples")
}

// In files that are older than versions, names say what inputs and layers are for.
func TestRolesOfBefore(t *testing.T) {
	read := func(inputs string) *graph.Network {
		n, err := graph.ReadJSON(strings.NewReader(`{"name":"old","inputs":[` + inputs + `],"layers":[
			{"name":"top5","type":"relu","in":["x"]},{"name":"a","type":"relu","in":["x"]},{"name":"accuracy","type":"relu","in":["x"]}]}`))
		require.NoError(t, err)
		return n
	}
	n := read(`{"name":"data","dtype":"float32","shape":[4]},{"name":"label","dtype":"int32","shape":null},{"name":"target","dtype":"float32","shape":[2]},{"name":"x","dtype":"float32","shape":[2]}`)
	require.Equal(t, []graph.Input{
		{Name: "data", DType: device.Float32, Shape: []int{4}, Role: graph.RoleImage},
		{Name: "label", DType: device.Int32, Role: graph.RoleLabel},
		{Name: "target", DType: device.Float32, Shape: []int{2}, Role: graph.RoleTarget},
		{Name: "x", DType: device.Float32, Shape: []int{2}},
	}, n.Inputs)
	require.Equal(t, []graph.Metric{{Value: "accuracy", Better: graph.Higher}, {Value: "top5", Better: graph.Higher}}, n.Metrics)
	for _, in := range read(`{"name":"data","dtype":"int32","shape":[4]},{"name":"label","dtype":"int32","shape":[1]},{"name":"target","dtype":"float32","shape":[2,2]}`).Inputs {
		require.Empty(t, in.Role, "what no data set filled")
	}

	// A version says that names are only names.
	text, err := json.Marshal(n)
	require.NoError(t, err)
	for old, now := range map[string]string{`,"role":"image"`: "", `,"role":"label"`: "", `,"role":"target"`: ""} {
		text = []byte(strings.Replace(string(text), old, now, 1))
	}
	plain, err := graph.ReadJSON(strings.NewReader(string(text)))
	require.NoError(t, err)
	require.Empty(t, plain.Inputs[0].Role)
}

func TestVersions(t *testing.T) {
	const rest = `"name":"x","inputs":[{"name":"data","dtype":"float32","shape":[1]}],"layers":[{"name":"a","type":"relu","in":["data"]}]}`
	for version, want := range map[string]string{
		"3":     "network in JSON: version 3 is newer than this hubel, which reads up to version 2: a newer hubel opens it",
		"0":     `network in JSON: the version must be a whole number of at least 1, not 0; this hubel reads up to version 2`,
		`"one"`: `network in JSON: the version must be a whole number of at least 1, not "one"; this hubel reads up to version 2`,
		"1.5":   `network in JSON: the version must be a whole number of at least 1, not 1.5; this hubel reads up to version 2`,
	} {
		_, err := graph.ReadJSON(strings.NewReader(`{"a key of later": 1, "version":` + version + `,` + rest))
		require.EqualError(t, err, want)
	}
	_, err := graph.ReadJSON(strings.NewReader(`{"version":1,` + rest))
	require.NoError(t, err)
	_, err = graph.ReadJSON(strings.NewReader(`{"version":1,"later":1,` + rest))
	require.ErrorContains(t, err, `unknown field "later"`)
	for _, half := range []string{strings.Replace(rest, `"shape":[1]`, `"shape":[1],"role":"image"`, 1), `"metrics":[{"value":"a","better":"higher"}],` + rest} {
		_, err = graph.ReadJSON(strings.NewReader(`{` + half))
		require.EqualError(t, err, `network in JSON: network x has roles or metrics, but no version: put "version": 1 before its name`)
	}
}

func TestRolesThatDoNotFit(t *testing.T) {
	for want, change := range map[string]func(n *graph.Network){
		`input picture has the role "sound"; there are image, label, target`:                                func(n *graph.Network) { n.Inputs[0].Role = "sound" },
		`input picture is int32 of the shape [1 2 2]; the role "image" takes float32`:                       func(n *graph.Network) { n.Inputs[0].DType = device.Int32 },
		`input kind is int32 of the shape [1]; the role "label" takes int32 and the shape []`:               func(n *graph.Network) { n.Inputs[1].Shape = []int{1} },
		`input where is float32 of the shape []; the role "target" takes float32 and a shape of one number`: func(n *graph.Network) { n.Inputs[2].Shape = nil },
		`the metric "acc" is no layer's output: name a layer that makes one number a sample, such as one of the type accuracy`: func(n *graph.Network) {
			n.Metrics[0].Value = "acc"
		},
		`the metric "picture" is no layer's output: name a layer that makes one number a sample, such as one of the type accuracy`: func(n *graph.Network) {
			n.Metrics[0].Value = "picture"
		},
		`of the metric hits, better is "": say "higher" or "lower"`: func(n *graph.Network) { n.Metrics[0].Better = "" },
		"the metric hits is there twice: keep one":                  func(n *graph.Network) { n.Metrics[1].Value = "hits" },
	} {
		n := judged()
		change(n)
		require.EqualError(t, n.Check(), "network judged: "+want)
	}
	n := judged()
	n.Metrics = make([]graph.Metric, 1001)
	require.EqualError(t, n.Check(), "network judged has 1001 metrics; at most 1000 are allowed")

	in, err := judged().InputOf(graph.RoleLabel)
	require.NoError(t, err)
	require.Equal(t, "kind", in.Name)
	n = judged()
	n.Label("again")
	_, err = n.InputOf(graph.RoleLabel)
	require.EqualError(t, err, `network judged has two inputs of the role "label", kind and again: keep one, which any number of layers can read`)
	_, err = (&graph.Network{Name: "blind"}).InputOf(graph.RoleImage)
	require.EqualError(t, err, `network blind has no input of the role "image": give it to the one that takes them, "role": "image" in JSON`)
}
