package layers

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

var registry = map[string]func() Layer{}

// Register makes a layer type known, so that networks in JSON can name it. The
// function newLayer returns a pointer to a layer with its default options. Call
// Register from an init function. Registering a type twice panics.
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
		return nil, fmt.Errorf("layer type %q is unknown; there are %s, and those whose package a program of your own links (docs/add-a-layer.md)", layerType, strings.Join(Types(), ", "))
	}
	l := newLayer()
	if len(options) == 0 {
		return l, nil
	}
	d := json.NewDecoder(bytes.NewReader(options))
	d.DisallowUnknownFields()
	err := d.Decode(l)
	if bad := (*json.UnmarshalTypeError)(nil); errors.As(err, &bad) {
		err = fmt.Errorf("%s is of the kind %s, want %s", cmp.Or(optionName(l, bad.Field), "what they are"), bad.Value, kindOf(bad.Type))
	}
	if err != nil {
		return nil, fmt.Errorf("options of type %s: %w", layerType, err)
	}
	return l, nil
}

// optionName is an option as JSON has it: without the struct that a layer embeds.
func optionName(l Layer, path string) string {
	first, rest, inside := strings.Cut(path, ".")
	if f, ok := reflect.TypeOf(l).Elem().FieldByName(first); inside && ok && f.Anonymous {
		return rest
	}
	return path
}

// kindOf is what JSON calls a Go type.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Bool, reflect.String:
		return t.Kind().String()
	case reflect.Slice, reflect.Array:
		return "array"
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Pointer:
		return kindOf(t.Elem())
	}
	return "whole number"
}
