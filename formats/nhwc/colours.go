package nhwc

import (
	"errors"
	"fmt"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
)

// CheckOrder checks Options.Order.
func CheckOrder(order string) error {
	switch order {
	case "", "rgb", "bgr":
		return nil
	}
	return fmt.Errorf("the order of channels %q is neither rgb nor bgr", order)
}

// TurnColours makes the preprocessing turn pictures round, for a network that takes B, G, R.
func TurnColours(m *formats.Model) error {
	if m.Network == nil {
		return errors.New("-order bgr is for a network, and there are weights alone")
	}
	images, err := m.Network.InputOf(graph.RoleImage)
	if err != nil || len(images.Shape) != 3 || images.Shape[0] != 3 {
		return fmt.Errorf("-order bgr is for images of three channels, and %v takes none", m.Network)
	}
	m.Preprocess.Whiten = data.Floats{0, 0, 1, 0, 1, 0, 1, 0, 0}
	m.Facts = append(m.Facts, "channels: B, G, R, as -order says")
	return nil
}
