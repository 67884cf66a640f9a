package program

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/atomicfile"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/internal/npy"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/predict"
)

// line is what -json prints of a picture.
type line struct {
	File      string          `json:"file"`
	FileBytes []byte          `json:"file_base64,omitempty"` // where it is not UTF-8, which JSON cannot say
	Top       []predict.Guess `json:"top,omitempty"`
	Output    []float32       `json:"output,omitempty"` // of a network without classes
	Error     string          `json:"error,omitempty"`
}

// inBytes is a name that is not UTF-8, and nothing of others.
func inBytes(name string) []byte {
	if utf8.ValidString(name) {
		return nil
	}
	return []byte(name)
}

// predictFiles does what the flags ask for.
func predictFiles(ctx context.Context, o *options, stdout, stderr io.Writer) (err error) {
	names, skipped, err := pictures(o.paths)
	if err != nil {
		return err
	}
	if err := command.CheckFolder(o.out); err != nil { // before the work
		return fmt.Errorf("-out: %w", err)
	}
	d, err := device.Open(o.device, device.Options{Threads: o.threads, CPUPath: string(o.cpuPath)})
	if err != nil {
		return err
	}
	defer command.Close(d, &err)
	p, err := predict.Open(d, o.weights, predict.Options{Batch: o.batch, Features: o.features, TenCrops: o.tenCrop})
	if err != nil {
		return err
	}
	defer command.Close(p, &err)

	var drawn *drawing
	if o.draw != "" {
		if err := command.CheckFolder(filepath.Dir(o.draw)); err != nil {
			return fmt.Errorf("-draw: %w", err)
		}
		if drawn, err = newDrawing(p, names); err != nil {
			return err
		}
	}
	out := bufio.NewWriter(stdout)
	features := make([][]float32, len(o.features))
	for _, s := range skipped { // what folders hold and nobody can read; the others are no worse for it
		if o.json {
			print(out, line{File: s.Name, FileBytes: inBytes(s.Name), Error: s.Reason}, true)
		} else {
			fmt.Fprintf(stderr, "predict: %s: %s\n", printable.Name(s.Name), printable.Line(s.Reason))
		}
	}
	bad, verb := 0, "could not be read"
	var drawing error
	err = p.Files(ctx, names, func(i int, y predict.Prediction, err error) {
		l := line{File: names[i], FileBytes: inBytes(names[i])}
		switch {
		case err != nil:
			bad++
			if errors.Is(err, predict.ErrNaN) {
				verb = "could not be read, or gave NaN"
			}
			l.Error = strings.TrimPrefix(err.Error(), filepath.ToSlash(names[i])+": ")
			if !o.json {
				_ = out.Flush() // in the order of the pictures; Flush below returns the error
				fmt.Fprintf(stderr, "predict: %s: %s\n", printable.Name(names[i]), printable.Line(l.Error))
				return
			}
		case len(p.Classes()) == 0:
			l.Output = y.Output
			if drawn != nil {
				drawing = cmp.Or(drawing, drawn.add(i, names[i], y.Output))
			}
		default:
			l.Top = p.Top(y, o.top)
		}
		print(out, l, o.json)
		for k, row := range y.Features {
			features[k] = append(features[k], row...)
		}
	})
	if flushing := out.Flush(); err == nil && flushing != nil {
		return command.BrokenError{Err: flushing}
	}
	if err != nil {
		return err
	}
	for k, layer := range o.features {
		if err := writeFeatures(o.out, layer, append([]int{len(names) - bad}, p.FeatureShape(k)...), features[k]); err != nil {
			return command.BrokenError{Err: err}
		}
	}
	if drawn != nil && drawing == nil {
		drawing = drawn.write(o.draw)
	}
	if drawing != nil {
		return command.BrokenError{Err: drawing}
	}
	if bad > 0 {
		return command.BrokenError{Err: fmt.Errorf("%d of %d pictures %s", bad, len(names), verb)}
	}
	if len(skipped) > 0 {
		return command.BrokenError{Err: fmt.Errorf("folders and links that could not be read: %d", len(skipped))}
	}
	return nil
}

// print writes what is known of a picture. Errors of the writer stay in it.
func print(w *bufio.Writer, l line, asJSON bool) {
	if asJSON {
		text, err := json.Marshal(l)
		if err != nil { // an output that is infinite
			text, _ = json.Marshal(line{File: l.File, FileBytes: l.FileBytes, Error: err.Error()})
		}
		fmt.Fprintf(w, "%s\n", text)
		return
	}
	fmt.Fprintln(w, printable.Name(l.File))
	for _, g := range l.Top {
		fmt.Fprintf(w, "  %6.2f %%  %s\n", 100*g.Probability, printable.Name(g.Class))
	}
	if l.Output != nil {
		fmt.Fprintln(w, " ", strings.Trim(fmt.Sprint(l.Output), "[]"))
	}
}

// writeFeatures writes what a layer made of all pictures.
func writeFeatures(dir, layer string, shape []int, values []float32) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, strings.ReplaceAll(layer, ":", "-")+".npy"), func(w io.Writer) error {
		return npy.Write(w, shape, values)
	})
}

// pictures lists the pictures that paths name: files as they are, and all of
// the pictures in a folder, with what of it cannot be read.
func pictures(paths []string) (names []string, skipped []data.Skip, err error) {
	for _, path := range paths {
		s, err := os.Stat(path)
		if err != nil {
			return nil, nil, err
		}
		if !s.IsDir() {
			names = append(names, path)
			continue
		}
		found, unread, err := data.Pictures(path)
		if err != nil {
			return nil, nil, err
		}
		if len(found) == 0 {
			err := fmt.Errorf("%s: there are no pictures in it", path)
			if len(unread) > 0 {
				err = fmt.Errorf("%w; %s: %s, for one", err, unread[0].Name, unread[0].Reason)
			}
			return nil, nil, err
		}
		names, skipped = append(names, found...), append(skipped, unread...)
	}
	return names, skipped, nil
}
