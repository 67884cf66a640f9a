// Package tensorboard writes the event files that TensorBoard shows: scalars,
// histograms, images, the graph of a network, and the settings of a run
// (hparams).
//
// The format is that of TensorFlow's event.proto and summary.proto, of which it
// writes the few fields that TensorBoard 2 reads. The fields of the hparams are
// those of plugins/hparams/plugin_data.proto of TensorBoard.
package tensorboard

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// pattern is that of the names of event files. TensorBoard knows them by
// "tfevents", and reads those of a folder in the order of their names.
const pattern = "events.out.tfevents.*"

// Writer appends events to a file. Each event is written in one piece, so that
// TensorBoard can read the file while it grows, and a run that is killed leaves
// whole events. A Writer is for one goroutine.
type Writer struct {
	file *os.File
	now  func() time.Time
}

// Files are the paths of the event files in a folder, the oldest first.
func Files(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, e := range entries {
		if ok, _ := filepath.Match(pattern, e.Name()); ok && e.Type().IsRegular() {
			list = append(list, filepath.Join(dir, e.Name()))
		}
	}
	return list, nil
}

// Create begins a new event file in a folder, which must be there. A run that
// goes on begins another file and calls Resume.
func Create(dir string) (*Writer, error) { return create(dir, time.Now) }

func create(dir string, now func() time.Time) (*Writer, error) {
	earlier, err := Files(dir)
	if err != nil {
		return nil, err
	}
	// The second number keeps files of the same second in order.
	name := fmt.Sprintf("events.out.tfevents.%010d.%04d.hubel", now().Unix(), len(earlier)+1)
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	w := &Writer{f, now}
	if err := w.event(0, text(nil, eventFileVersion, "brain.Event:2")); err != nil {
		f.Close()
		return nil, err
	}
	return w, nil
}

// Path is that of the file.
func (w *Writer) Path() string { return w.file.Name() }

// Resume says that the run goes on with a step: TensorBoard then forgets what
// earlier files have of this step and of later ones.
func (w *Writer) Resume(step int) error {
	return w.event(step, message(nil, eventSessionLog, number(nil, sessionStatus, sessionStart)))
}

// Write appends values of a step.
func (w *Writer) Write(step int, values ...Value) error {
	var summary []byte
	for _, v := range values {
		summary = message(summary, summaryValue, v.encoded)
	}
	return w.event(step, message(nil, eventSummary, summary))
}

// event appends an event with the fields that follow its time and its step.
func (w *Writer) event(step int, fields []byte) error {
	t := w.now()
	e := double(nil, eventWallTime, float64(t.UnixNano())/1e9)
	e = number(e, eventStep, int64(step))
	_, err := w.file.Write(record(append(e, fields...)))
	return err
}

// Close closes the file. Closing twice does nothing.
func (w *Writer) Close() error {
	if w.file == nil {
		return nil
	}
	f := w.file
	w.file = nil
	return f.Close()
}
