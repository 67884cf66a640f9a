package watch

import (
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"

	"github.com/hubel-go/hubel/results"
)

// process are facts of this process and its machine.
func process() []results.Fact {
	list := []results.Fact{
		{Name: "processors", Value: strconv.Itoa(runtime.NumCPU())},
		{Name: "system", Value: runtime.GOOS + " " + runtime.GOARCH},
		{Name: "Go", Value: runtime.Version()},
	}
	if name, err := os.Hostname(); err == nil {
		list = append([]results.Fact{{Name: "host", Value: name}}, list...)
	}
	return list
}

// memory is what the process has of the machine's, in bytes.
func memory() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64() - s[1].Value.Uint64())
}
