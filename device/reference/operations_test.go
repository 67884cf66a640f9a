package reference

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
)

// Every operation of device.Kernels is called by a test of this package: the suite
// holds other devices against these loops, and cannot see what is wrong with them.
func TestEveryOperationHasAReferenceTest(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	var tests strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		tests.Write(text)
	}
	kernels := reflect.TypeFor[device.Kernels]()
	for i := range kernels.NumMethod() {
		if op := kernels.Method(i).Name; !strings.Contains(tests.String(), "."+op+"(") {
			t.Errorf("%s: no test in device/reference calls it", op)
		}
	}
}
