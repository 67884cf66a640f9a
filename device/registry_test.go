package device

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// register adds a driver for the time of a test.
func register(t *testing.T, name string, d Driver) {
	Register(name, d)
	t.Cleanup(func() {
		registry.Lock()
		defer registry.Unlock()
		delete(registry.drivers, name)
	})
}

func TestOpenGivesTheDriverTheWholeName(t *testing.T) {
	var name string
	var options Options
	register(t, "abacus", Driver{
		Open: func(n string, o Options) (Device, error) {
			name, options = n, o
			return nil, errors.New("out of beads")
		},
		Traits: func(n string, _ Options) (Traits, error) { name += " " + n; return nil, nil },
	})
	register(t, "aardvark", Driver{})
	require.Equal(t, []string{"aardvark", "abacus"}, Names())

	_, err := Open("abacus:3", Options{Threads: 2})
	require.EqualError(t, err, "out of beads")
	require.Equal(t, "abacus:3", name)
	require.Equal(t, Options{Threads: 2}, options)
	_, err = TraitsOf("abacus:4", Options{})
	require.NoError(t, err)
	require.Equal(t, "abacus:3 abacus:4", name)
}

func TestListAsksEveryDriver(t *testing.T) {
	list := func(infos ...Info) Driver { return Driver{List: func(Options) []Info { return infos }} }
	register(t, "slide-rule", list(Info{Name: "slide-rule", Problem: "it is broken; mend it"}))
	register(t, "abacus", list(Info{Name: "abacus:0", Facts: []Fact{Memory(0, 3<<29), Memory(1, 1<<30)}}, Info{Name: "abacus:1", Facts: []Fact{Memory(1<<30, 2<<30)}}))
	require.Equal(t, []Info{
		{Name: "abacus:0", Facts: []Fact{{"memory", "1.5 GiB"}, {"memory", "1.0 GiB, 0.0 free"}}},
		{Name: "abacus:1", Facts: []Fact{{"memory", "2.0 GiB, 1.0 free"}}},
		{Name: "slide-rule", Problem: "it is broken; mend it"},
	}, List(Options{}))
}

func TestUnknownDeviceListsThoseThereAre(t *testing.T) {
	register(t, "abacus", Driver{})
	register(t, "slide-rule", Driver{})
	const says = `device "cuda:0" is unknown; this program has abacus, slide-rule`
	_, err := Open("cuda:0", Options{})
	require.EqualError(t, err, says)
	_, err = TraitsOf("cuda:0", Options{})
	require.EqualError(t, err, says)
}

// A device of a kind without tensor cores is not asked to use them.
func TestOnlySomeKindsHaveTF32(t *testing.T) {
	open := func(string, Options) (Device, error) { return nil, errors.New("out of beads") }
	traits := func(string, Options) (Traits, error) { return nil, nil }
	register(t, "abacus", Driver{Open: open, Traits: traits})
	register(t, "steam-abacus", Driver{Open: open, Traits: traits, TF32: true})
	const says = `device "abacus" has no tensor cores: -tf32 is for GPUs of compute capability 8.0 or later`
	_, err := Open("abacus", Options{TF32: true})
	require.EqualError(t, err, says)
	_, err = TraitsOf("abacus", Options{TF32: true})
	require.EqualError(t, err, says)
	_, err = Open("steam-abacus", Options{TF32: true})
	require.EqualError(t, err, "out of beads")
	_, err = TraitsOf("steam-abacus", Options{TF32: true})
	require.NoError(t, err)
}

func TestRegisterTwicePanics(t *testing.T) {
	register(t, "abacus", Driver{})
	require.PanicsWithValue(t, "device: abacus is registered twice", func() { Register("abacus", Driver{}) })
}
