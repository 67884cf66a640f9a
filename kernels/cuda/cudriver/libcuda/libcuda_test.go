//go:build cuda && linux && amd64

package libcuda_test

import (
	"debug/elf"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	_ "gorgonia.org/cu"

	_ "github.com/hubel-go/hubel/kernels/cuda/cudriver/libcuda"
)

// Whatever headers it is built with, a program leaves no symbol of the driver to
// the machine that it runs on: this one, which links all of cu, asks for no
// libcuda and none of its symbols.
func TestNothingIsLeftToTheMachine(t *testing.T) {
	path, err := os.Executable()
	require.NoError(t, err)
	program, err := elf.Open(path)
	require.NoError(t, err)
	defer program.Close()
	libraries, err := program.ImportedLibraries()
	require.NoError(t, err)
	undefined, err := program.ImportedSymbols()
	require.NoError(t, err)
	names := make([]string, len(undefined))
	for i, s := range undefined {
		names[i] = s.Name
	}
	require.Contains(t, names, "dlsym") // by which the driver's are found
	for _, name := range append(names, libraries...) {
		require.False(t, strings.HasPrefix(name, "cu") || strings.HasPrefix(name, "libcu"), name)
	}
}
