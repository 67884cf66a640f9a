package pytorch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	gorgonia "gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/models"
)

// namesOfTorchvision are the number of tensors of torchvision's networks with 7 classes, but
// for num_batches_tracked, and the beginning of the SHA-256 of their sorted lines "NAME [SHAPE]",
// as torchvision itself has them.
var namesOfTorchvision = map[string]struct {
	count int
	hash  string
}{
	"alexnet":       {16, "944705cd4ccf09ab"},
	"densenet121":   {606, "7cd613d4aff70e50"},
	"densenet161":   {806, "b1e824c9ad27ecd0"},
	"densenet169":   {846, "8fab27c10dd10d0a"},
	"densenet201":   {1006, "429a8f5cc8dd55e4"},
	"googlenet":     {287, "18f6bf6b19cae71e"},
	"mobilenet_v2":  {262, "92c60346db98df25"},
	"resnet101":     {522, "a672d1c2d678b001"},
	"resnet152":     {777, "29d2eb1d39e76503"},
	"resnet18":      {102, "ad55fd9ba6c5076d"},
	"resnet34":      {182, "af49948156b04850"},
	"resnet50":      {267, "5e649d49e4d1b2c9"},
	"squeezenet1_0": {52, "25f1ac896c9c299d"},
	"squeezenet1_1": {52, "ec637b4c1af59458"},
	"vgg11":         {22, "6e49a8e69b98c414"},
	"vgg11_bn":      {54, "ec145abd7b670039"},
	"vgg13":         {26, "bd7c14c3265c078b"},
	"vgg13_bn":      {66, "9277b88a49116115"},
	"vgg16":         {32, "a92490d2df8f004b"},
	"vgg16_bn":      {84, "5103047a2492365c"},
	"vgg19":         {38, "19f6f0031addbd30"},
	"vgg19_bn":      {102, "07192d1eec730c70"},
	"googlenet_aux": {305, "be9d6e7c749d3237"},
}

// TestNamesAndShapesAreTorchvisions also recognises each network by its names and shapes.
// All tensors share their memory, so that the largest network takes little.
func TestNamesAndShapesAreTorchvisions(t *testing.T) {
	zeros := make([]float32, 4096*512*7*7)
	require.Len(t, namesOfTorchvision, len(models.TorchvisionNames()))
	for _, f := range families {
		for _, name := range f.networks {
			n, err := models.Torchvision(name, models.Options{Classes: 7})
			require.NoError(t, err)
			x, err := nameModules(n, f.modules(n))
			require.NoError(t, err)
			w := &weights{values: map[string]*dense{}}
			var lines []string
			for _, n := range x.nodes {
				for _, s := range n.slots {
					tensor := join(x.modules[n.name], s.name)
					w.names = append(w.names, tensor)
					w.values[tensor] = gorgonia.New(gorgonia.WithShape(s.shape...), gorgonia.WithBacking(zeros[:device.Elements(s.shape)]))
					lines = append(lines, fmt.Sprintf("%s %v\n", tensor, s.shape))
				}
			}
			slices.Sort(lines)
			hash := sha256.Sum256([]byte(strings.Join(lines, "")))
			require.Equal(t, namesOfTorchvision[name].count, len(lines), name)
			require.Equal(t, namesOfTorchvision[name].hash, hex.EncodeToString(hash[:8]), "%s: %s", name, lines)

			m := &formats.Model{}
			ok, err := intoTorchvision(m, w, strings.NewReader(""), nil)
			require.NoError(t, err)
			require.True(t, ok, name)
			require.Equal(t, name, m.Network.Name)
			require.Len(t, m.Weights, len(lines))
			require.Empty(t, m.Lost)
		}
	}
}
