package graph_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/graph"
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
