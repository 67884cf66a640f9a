package data

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// Read reads a sample as d.Read does. A panic of the data set is an error: it would
// end the process where a goroutine reads that nobody else looks after.
func Read(d Dataset, dst []float32, i int) (label int32, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked(r)
		}
	}()
	return d.Read(dst, i)
}

// panicked is the error of what was recovered, with the line that it came from.
func panicked(r any) error {
	var callers [32]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(0, callers[:])])
	inside := false // of what came before the panic
	for f, more := frames.Next(); more; f, more = frames.Next() {
		if inside && !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Errorf("the data set panicked: %v, at %s:%d", r, filepath.Base(f.File), f.Line)
		}
		inside = inside || f.Function == "runtime.gopanic"
	}
	return fmt.Errorf("the data set panicked: %v", r)
}
