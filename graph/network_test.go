package graph_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

func TestNetworkFromJSONAndBack(t *testing.T) {
	for seed := range uint64(20) {
		n := randomNetwork(seed)
		text, err := json.Marshal(n)
		require.NoError(t, err)
		back, err := graph.ReadJSON(bytes.NewReader(text))
		require.NoError(t, err)
		require.Equal(t, n.Nodes, back.Nodes)
		again, err := json.Marshal(back)
		require.NoError(t, err)
		require.Equal(t, string(text), string(again))
	}
}

// An editor may put a byte-order mark before a network, and its own line ends.
func TestNetworkFromAnEditor(t *testing.T) {
	plain := `{"name":"x","inputs":[{"name":"data","dtype":"float32","shape":[1]}],` + "\r\n" + `"layers":[{"name":"a","type":"relu","in":["data"]}]}`
	want, err := graph.ReadJSON(strings.NewReader(plain))
	require.NoError(t, err)
	var inUTF16 strings.Builder
	for _, r := range "\ufeff" + plain {
		inUTF16.WriteString(string([]byte{byte(r), byte(r >> 8)}))
	}
	path := filepath.Join(t.TempDir(), "n.json")
	for _, text := range []string{"\ufeff" + plain, inUTF16.String()} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
		got, err := graph.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestNetworkJSONErrors(t *testing.T) {
	for text, want := range map[string]string{
		`{`:                      "unexpected EOF",
		`{"name":"x","extra":1}`: `unknown field "extra"`,
		`{"name":"x","inputs":[{"name":"data","dtype":"float16","shape":[1]}]}`:                 `element type "float16"`,
		`{"name":"x","layers":[{"name":"a","type":"conf","in":["data"]}]}`:                      `a: layer type "conf" is unknown`,
		`{"name":"x","layers":[{"name":"a","type":"relu","in":["data"],"options":{"slop":1}}]}`: `unknown field "slop"`,
		`{"name":"x","layers":[]}`:                                                                                                    "no layers",
		`{"name":"x","layers":[{"name":"a","type":"relu","in":[]}]}`:                                                                  "a has no inputs",
		`{"name":"x","layers":[{"name":"a:1","type":"relu","in":["data"]}]}`:                                                          "holds a colon",
		`{"name":"x","layers":[{"name":"","type":"relu","in":["data"]}]}`:                                                             "has no name",
		`{"name":"x","inputs":[{"name":"data","dtype":"float32","shape":[0]}],"layers":[{"name":"a","type":"relu","in":["data"]}]}`:   "at least 1",
		`{"name":"x","inputs":[{"name":"data","dtype":"float32","shape":[1]}],"layers":[{"name":"a","type":"relu","in":["data"]}]}{}`: "something follows",
	} {
		_, err := graph.ReadJSON(strings.NewReader(text))
		require.ErrorContains(t, err, want, text)
	}
}

// What comes from anywhere has bounds, which the errors name.
func TestNetworkBounds(t *testing.T) {
	long := strings.Repeat("x", 256)
	layer := `{"name":"a","type":"relu","in":["data"]}`
	of := func(name, layers string) string {
		return `{"name":"` + name + `","inputs":[{"name":"data","dtype":"float32","shape":[1]}],"layers":[` + layers + `]}`
	}
	for want, text := range map[string]string{
		"the name of network xxxxxxxxxxxxxxxxxxxx… has 256 bytes; at most 255":      of(long, layer),
		`the name "xxxxxxxxxxxxxxxxxxxx"… of layer 0 has 256 bytes; at most 255`:    of("n", strings.Replace(layer, `"a"`, `"`+long+`"`, 1)),
		"network n has 131073 values, inputs and outputs of layers; at most 131072": of("n", strings.Repeat(layer+",", 131071)+layer),
		"it has more than 16 MiB": of("n", layer) + strings.Repeat(" ", 16<<20),
		"exceeded max depth":      of("n", strings.Repeat("[", 100000)),
	} {
		_, err := graph.ReadJSON(strings.NewReader(text))
		require.ErrorContains(t, err, want)
		require.Less(t, len(err.Error()), 200)
	}
	_, err := graph.ReadJSON(strings.NewReader(of(long[1:], strings.Replace(layer, `"a"`, `"`+long[1:]+`"`, 1))))
	require.NoError(t, err)

	// A layer of many outputs is seen where it is planned.
	n := &graph.Network{Name: "wide"}
	split := &layers.Split{}
	for range 131_072 {
		split.Channels = append(split.Channels, 1)
	}
	n.Outputs = []string{n.Add("split", split, n.Input("data", device.Float32, len(split.Channels)))}
	_, err = n.Plan(plainTraits, graph.PlanOptions{Batch: 1})
	require.ErrorContains(t, err, "network wide has 131073 values")
}
