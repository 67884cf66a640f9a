package device

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Options are what a device may be told when it is opened.
type Options struct {
	Threads int // CPU workers; 0 means as many as the process may use

	// DirectConv computes every convolution by its definition, where a device
	// would otherwise use a fast algorithm that rounds more (Winograd's).
	// Weights packed with one setting are not for the other.
	DirectConv bool
}

// Driver opens the devices of one kind.
type Driver struct {
	// Open opens the device of the given name: the driver's own, perhaps
	// with an index, such as "cuda:1".
	Open func(name string, o Options) (Device, error)

	// Traits are those of the driver's devices, known without opening one.
	Traits func(o Options) (Traits, error)
}

var registry = struct {
	sync.Mutex
	drivers map[string]Driver
}{drivers: map[string]Driver{}}

// Register makes a driver known under the name that stands before the colon
// of its devices' names. Device packages call it from their init; commands
// choose devices by importing those packages. Registering a name twice
// panics.
func Register(name string, d Driver) {
	registry.Lock()
	defer registry.Unlock()
	if _, ok := registry.drivers[name]; ok {
		panic("device: " + name + " is registered twice")
	}
	registry.drivers[name] = d
}

// Names lists the drivers linked into this program, in order.
func Names() []string {
	registry.Lock()
	defer registry.Unlock()
	names := make([]string, 0, len(registry.drivers))
	for n := range registry.drivers {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Open opens a device by name: "cpu", "cuda:0", "ptxsim". There is no
// fallback: a device that is not there is an error that lists those that are.
func Open(name string, o Options) (Device, error) {
	d, err := find(name)
	if err != nil {
		return nil, err
	}
	return d.Open(name, o)
}

// TraitsOf returns the traits that a device opened by name with these options
// has, without opening it.
func TraitsOf(name string, o Options) (Traits, error) {
	d, err := find(name)
	if err != nil {
		return nil, err
	}
	return d.Traits(o)
}

func find(name string) (Driver, error) {
	kind, _, _ := strings.Cut(name, ":")
	registry.Lock()
	d, ok := registry.drivers[kind]
	registry.Unlock()
	if !ok {
		return Driver{}, fmt.Errorf("device %q is unknown; this program has %s", name, strings.Join(Names(), ", "))
	}
	return d, nil
}
