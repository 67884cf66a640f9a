package cuda_test

import (
	"cmp"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/devicetest"
	"github.com/hubel-go/hubel/kernels/cuda"
	_ "github.com/hubel-go/hubel/kernels/cuda/cudadevice"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
	_ "github.com/hubel-go/hubel/kernels/cuda/simdevice"
)

// HUBEL_DEVICE names the device that the tests of this package which do not
// look into the simulator run on. It is one suite for the simulator and for
// GPUs.
var deviceName = cmp.Or(os.Getenv("HUBEL_DEVICE"), "ptxsim")

func onSimulator() bool { return strings.HasPrefix(deviceName, "ptxsim") }

// open opens that device and closes it at the test's end.
func open(t *testing.T) device.Device {
	dev, err := device.Open(deviceName, device.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	return dev
}

// openTF32 opens it with TF32 and so many threads, where it has tensor cores.
func openTF32(t *testing.T, threads int) device.Device {
	o := device.Options{TF32: true, Threads: threads}
	if _, err := device.TraitsOf(deviceName, o); err != nil {
		t.Skip(err)
	}
	dev, err := device.Open(deviceName, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	return dev
}

// simulated is the simulator, which does its work at once or as late as it may.
func simulated(t *testing.T, late bool) device.Device {
	dev, err := newSimulated(late)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	return dev
}

func newSimulated(late bool) (device.Device, error) {
	var d driver.Driver = ptxsim.New(ptxsim.Config{})
	if late {
		d = &lazyDriver{Driver: d}
	}
	return cuda.New("ptxsim", d, device.Options{})
}

// long leaves a test out that takes the simulator long.
func long(t *testing.T) {
	if onSimulator() && os.Getenv("HUBEL_LONG") == "" {
		t.Skip("set HUBEL_LONG=1 to simulate AlexNet")
	}
}

// The device passes the whole suite: all of it on a GPU, without the large
// shapes on the simulator.
func TestConformance(t *testing.T) {
	o := devicetest.Options{NoAllocs: true}
	if onSimulator() {
		o.Short, o.Random = true, 6
	}
	devicetest.Run(t, func() (device.Device, error) { return device.Open(deviceName, device.Options{}) }, o)
}

// With TF32 the products are others.
func TestConformanceTF32(t *testing.T) {
	if onSimulator() {
		t.Skip("TestConvConforms, TestConvFilterConforms and TestDenseConforms are this on the simulator")
	}
	dev := openTF32(t, 0)
	o := devicetest.Options{Seed: 1}
	for _, c := range devicetest.Cases(o) {
		if product.MatchString(c.Op) && c.Supported(dev.Traits()) {
			t.Run(c.Op+" "+c.Name, func(t *testing.T) { require.NoError(t, c.Check(dev, o)) })
		}
	}
}

var product = regexp.MustCompile("^(gemm|dense|conv)")

// So does a device that does nothing before it must.
func TestLateConformance(t *testing.T) {
	devicetest.Run(t, func() (device.Device, error) { return newSimulated(true) }, devicetest.Options{Short: true, Random: 6})
}
