package cpu

import (
	"testing"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/devicetest"
)

func TestConformance(t *testing.T) {
	devicetest.Run(t, func() (device.Device, error) { return New(2) }, devicetest.Options{})
}
