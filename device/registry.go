package device

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Options are the options for opening a device.
type Options struct {
	Threads int // CPU workers; 0 means as many as the process may use

	// CPUPath names the loops and register tiles of the CPU device: avx512, avx2,
	// neon or generic. Each rounds differently. If it is empty or AutoPath, the environment
	// variable HUBEL_CPU names the path; without it, the best of the machine is
	// used.
	CPUPath string

	// DirectConv computes every convolution by its definition, even if the device
	// has a fast algorithm that rounds more (Winograd's). Weights packed with one
	// setting cannot be used with the other.
	DirectConv bool

	// TF32 computes matrix products and convolutions on tensor cores, forward and
	// backward. Their factors are rounded to 10 bits after the leading one, and the
	// sums are float32. On a device without such cores it is an error. Dense layers
	// of up to 16 samples, which memory limits, stay float32.
	TF32 bool

	// DebugSync makes a CUDA device run one kernel at a time and wait for each, so
	// that an error names the kernel that failed and its layer. Devices that always
	// do so ignore it.
	DebugSync bool
}

// AutoPath is the Options.CPUPath that uses HUBEL_CPU or else the best path of
// the machine.
const AutoPath = "auto"

// Driver opens the devices of one kind.
type Driver struct {
	// Open opens the device of the given name: the driver's own, perhaps
	// with an index, such as "cuda:1".
	Open func(name string, o Options) (Device, error)

	// Traits are those of the device of the given name, known without opening it.
	Traits func(name string, o Options) (Traits, error)

	// TF32 reports whether some of its devices support Options.TF32. Devices of
	// other drivers are never opened with it.
	TF32 bool

	// List describes the driver's devices of this machine, including those that
	// cannot be used. If it has no device, it lists the driver itself.
	List func(o Options) []Info
}

// Info describes a device for users.
type Info struct {
	Name    string // what Open takes
	Facts   []Fact
	Problem string // why it cannot be used, and what helps; empty if it can
}

// Fact is a property of a device, such as its memory.
type Fact struct{ Name, Value string }

// Memory is the Fact with the total memory of a device and, if it is known and
// not 0, the free memory.
func Memory(free, total int64) Fact {
	const gib = 1 << 30
	text := fmt.Sprintf("%.1f GiB", float64(total)/gib)
	if free > 0 {
		text += fmt.Sprintf(", %.1f free", float64(free)/gib)
	}
	return Fact{"memory", text}
}

var registry = struct {
	sync.Mutex
	drivers map[string]Driver
}{drivers: map[string]Driver{}}

// Register makes a driver known. The name is the part of its devices' names
// before the colon. Device packages call Register from their init; commands
// choose devices by importing those packages. Registering a name twice panics.
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

// List describes the devices of every driver linked into this program, as Open
// would open them with these options.
func List(o Options) []Info {
	var all []Info
	for _, name := range Names() {
		d, err := find(name, Options{})
		if err == nil {
			all = append(all, d.List(o)...)
		}
	}
	return all
}

// Open opens a device by name: "cpu", "cuda:0", "ptxsim". There is no fallback:
// for a missing device it returns an error that lists the devices that exist.
func Open(name string, o Options) (Device, error) {
	d, err := find(name, o)
	if err != nil {
		return nil, err
	}
	return d.Open(name, o)
}

// TraitsOf returns the traits of the device of this name with these options,
// without opening it.
func TraitsOf(name string, o Options) (Traits, error) {
	d, err := find(name, o)
	if err != nil {
		return nil, err
	}
	return d.Traits(name, o)
}

func find(name string, o Options) (Driver, error) {
	kind, _, _ := strings.Cut(name, ":")
	registry.Lock()
	d, ok := registry.drivers[kind]
	registry.Unlock()
	if !ok {
		return Driver{}, fmt.Errorf("device %q is unknown; this program has %s", name, strings.Join(Names(), ", "))
	}
	if o.TF32 && !d.TF32 {
		return Driver{}, fmt.Errorf("device %q has no tensor cores: -tf32 is for GPUs of compute capability 8.0 or later", name)
	}
	return d, nil
}
