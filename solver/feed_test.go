package solver

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// transfers is a driver that counts the uploads of a size, and notes how many there
// were at each download.
type transfers struct {
	driver.Driver
	size      int // bytes
	uploads   int
	downloads []int
}

type transfersStream struct {
	driver.Stream
	on *transfers
}

func (d *transfers) NewStream() (driver.Stream, error) {
	s, err := d.Driver.NewStream()
	return &transfersStream{s, d}, err
}

func (s *transfersStream) Upload(dst driver.Ptr, src []byte) error {
	if len(src) == s.on.size {
		s.on.uploads++
	}
	return s.Stream.Upload(dst, src)
}

func (s *transfersStream) Download(dst []byte, src driver.Ptr) error {
	s.on.downloads = append(s.on.downloads, s.on.uploads)
	return s.Stream.Download(dst, src)
}

// Where a device stages, the next batch is on its way before the host asks for the
// loss of this one, which waits for the device.
func TestTheNextBatchIsUploadedBeforeTheLossIsRead(t *testing.T) {
	const batch = 4
	d := &transfers{Driver: ptxsim.New(ptxsim.Config{Workers: 2}), size: 4 * batch * 12 * 12}
	simulated, err := cuda.New("ptxsim", d, device.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, simulated.Close()) })
	for _, accumulate := range []int{1, 2} {
		c := smallConfig(t)
		c.Device, c.Batch, c.Accumulate, c.Test = simulated, batch, accumulate, nil
		tr, err := newTrainer(c)
		require.NoError(t, err)
		d.uploads = 0
		for step := range 3 {
			d.downloads = nil
			_, _, err = tr.step(readLoss)
			require.NoError(t, err)
			tr.iteration++
			require.NotEmpty(t, d.downloads, "the loss is read")
			passes := step*accumulate + 1 // with the first of this update
			require.Equal(t, passes+1, d.downloads[0], "update %d: batches that were uploaded when its first loss was read", step+1)
			require.Equal(t, passes+accumulate, d.uploads)
		}
		require.NoError(t, tr.exec.Sync())
		require.NoError(t, tr.close())
	}
}

// What a feed allocates on the device is what memory is counted for: batches that wait
// there, or nothing.
func TestFeedBytes(t *testing.T) {
	c := smallConfig(t)
	tr, err := newTrainer(c)
	require.NoError(t, err)
	defer tr.close()
	p := tr.exec.Plan()
	require.Zero(t, feedBytes(c.Device, p))
	simulated, err := cuda.New("ptxsim", ptxsim.New(ptxsim.Config{}), device.Options{})
	require.NoError(t, err)
	defer simulated.Close()
	require.Equal(t, p.StagingBytes(simulated.Traits()), feedBytes(simulated, p))
	require.Positive(t, feedBytes(simulated, p))
}
