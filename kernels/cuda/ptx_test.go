package cuda

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// loads is a driver that notes what is loaded.
type loads struct {
	driver.Driver
	files []string
	err   error
}

func (d *loads) Load(name, text string) (driver.Module, error) {
	d.files = append(d.files, name)
	if d.err != nil {
		return nil, d.err
	}
	return d.Driver.Load(name, text)
}

// A device takes the highest capability it can run, and none below the lowest.
func TestLoadChoosesTheCapability(t *testing.T) {
	for device, want := range map[int]string{70: "sm_70", 75: "sm_70", 80: "sm_80", 86: "sm_80", 90: "sm_80"} {
		text, err := ptx.ReadFile(ptxFile(capabilityFor(device), "gemm"))
		require.NoError(t, err)
		require.Contains(t, string(text[:500]), ".target "+want)
	}
	_, err := New("ptxsim:2", ptxsim.New(ptxsim.Config{Capability: 75}), device.Options{TF32: true})
	require.EqualError(t, err, "ptxsim:2: TF32 takes tensor cores of compute capability 8.0 or later, and ptxsim has 7.5: leave -tf32 away")
	_, err = New("ptxsim:2", ptxsim.New(ptxsim.Config{Capability: 61}), device.Options{})
	require.EqualError(t, err, "ptxsim:2: cuda: ptxsim is sm_61; the kernels need sm_70 or later")
}

// A file is loaded when one of its kernels is first launched, once; that it cannot be is
// the error of that kernel.
func TestFilesAreLoadedWhenNeeded(t *testing.T) {
	l := &loads{Driver: ptxsim.New(ptxsim.Config{})}
	d, err := New("ptxsim", l, device.Options{})
	require.NoError(t, err)
	defer d.Close()
	var queues [2]device.Queue
	for i := range queues {
		queues[i], err = d.NewQueue()
		require.NoError(t, err)
	}
	require.Empty(t, l.files)
	b, err := d.Alloc(64)
	require.NoError(t, err)
	x := device.Tensor{Buffer: b, DType: device.Float32, Shape: tensor.Shape{2, 2}}
	for _, q := range queues {
		for range 2 {
			q.Fill(x, 1)
			q.SoftmaxForward(device.Softmax{N: 2, C: 2, Inner: 1}, x, x)
			require.NoError(t, q.Sync())
		}
	}
	require.Equal(t, []string{"softmax.ptx"}, l.files)
	l.err = errors.New("no room")
	queues[0].Scope("update")
	queues[0].LRNForward(device.LRN{N: 2, C: 2, H: 1, W: 1, Size: 5}, x, x, x)
	require.EqualError(t, queues[0].Sync(), "update: lrn_forward: cuda: no room")
	f := d.kernels.lrn.forward
	_, err = f.Attributes()
	require.EqualError(t, err, "cuda: no room")
	require.EqualError(t, f.SetMaxDynamicShared(1), "cuda: no room")
}

// A file that is not there is named, with what makes it.
func TestAFileThatIsMissing(t *testing.T) {
	f := &file{driver: ptxsim.New(ptxsim.Config{}), name: "nothing"}
	require.ErrorContains(t, f.load(), "nothing.ptx: file does not exist: make ptx compiles it")
	require.ErrorContains(t, f.load(), "make ptx compiles it", "and again")
}
