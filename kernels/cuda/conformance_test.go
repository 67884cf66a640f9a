package cuda

import (
	"fmt"
	"io/fs"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/devicetest"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// partial is a device without all products.
type partial struct{ *Device }

func (p partial) Traits() device.Traits { return partialTraits{sms: p.driver.Properties().SMs} }

func (p partial) NewQueue() (device.Queue, error) {
	q, err := p.newQueue()
	return &partialQueue{queue: q}, err
}

type partialTraits struct {
	device.Traits
	sms int
}

func (t partialTraits) GEMMScratch(g device.GEMM) int64 { return gemmScratch(t.sms, g) }

func (partialTraits) Alignment() int64 { return alignment }

type partialQueue struct {
	device.DenseKernels
	device.ConvKernels
	*queue
}

// unaligned is a device whose memory begins a float after what a vector of
// four needs.
type unaligned struct{ partial }

func (u unaligned) Alloc(bytes int64) (device.Buffer, error) {
	b, err := u.partial.Alloc(bytes + 4)
	if err != nil {
		return nil, err
	}
	return b.Slice(4, bytes), nil
}

var products = regexp.MustCompile("^(dense|conv)")

// Every kernel but those of products passes the suite's cases, for each
// capability, and at addresses that allow no vectors.
func TestKernels(t *testing.T) {
	for _, capability := range capabilities {
		for _, shifted := range []bool{false, true} {
			t.Run(fmt.Sprintf("sm%d unaligned %v", capability, shifted), func(t *testing.T) {
				missing := entries(t, capability)
				dev, err := New("ptxsim", ptxsim.New(ptxsim.Config{
					Capability: capability, OnLaunch: func(r ptxsim.Report) { delete(missing, r.Kernel) },
				}))
				require.NoError(t, err)
				defer dev.Close()
				var under device.Device = partial{dev}
				if shifted {
					under = unaligned{partial{dev}}
				}
				o := devicetest.Options{Short: true, Seed: 1, Random: 6, NoAllocs: true}
				for _, c := range devicetest.Cases(o) {
					if !products.MatchString(c.Op) {
						require.NoError(t, c.Check(under, o), "%s %s", c.Op, c.Name)
					}
				}
				require.Empty(t, missing, "kernels that no case runs")
			})
		}
	}
}

var entry = regexp.MustCompile(`\.visible \.entry (\w+)\(`)

// productFiles have tests that look for every kernel and choose the shapes.
var productFiles = regexp.MustCompile("/(gemm|partials).ptx$")

// entries is the kernels that ship, without products.
func entries(t *testing.T, capability int) map[string]bool {
	kernels := map[string]bool{}
	files, err := fs.Glob(ptx, ptxFile(capability, "*"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := ptx.ReadFile(file)
		require.NoError(t, err)
		for _, e := range entry.FindAllSubmatch(text, -1) {
			if !productFiles.MatchString(file) {
				kernels[string(e[1])] = true
			}
		}
	}
	return kernels
}
