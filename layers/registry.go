package layers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

var registry = map[string]func() Layer{}

// Register makes a layer type known, so that networks in JSON can name it.
// New returns a pointer to a layer with its default options. Call it from an
// init; registering a type twice panics.
func Register(newLayer func() Layer) {
	t := newLayer().Type()
	if _, ok := registry[t]; ok {
		panic("layers: type " + t + " is registered twice")
	}
	registry[t] = newLayer
}

// Types lists the registered layer types, in order.
func Types() []string {
	types := make([]string, 0, len(registry))
	for t := range registry {
		types = append(types, t)
	}
	slices.Sort(types)
	return types
}

// FromJSON makes a layer of the type with the options in JSON; empty options
// are the defaults. An unknown type or option is an error.
func FromJSON(layerType string, options []byte) (Layer, error) {
	newLayer, ok := registry[layerType]
	if !ok {
		return nil, fmt.Errorf("layer type %q is unknown; there are %s", layerType, strings.Join(Types(), ", "))
	}
	l := newLayer()
	if len(options) == 0 {
		return l, nil
	}
	d := json.NewDecoder(bytes.NewReader(options))
	d.DisallowUnknownFields()
	if err := d.Decode(l); err != nil {
		return nil, fmt.Errorf("options of type %s: %w", layerType, err)
	}
	return l, nil
}
