// Command serve-bench measures serve and what it is compared with. run.sh calls it:
//
//	serve-bench load -url URL -picture FILE     clients that ask a server, one picture at a time
//	serve-bench soak -url URL -picture FILE     the same for long, with malformed requests between
//	serve-bench bare -weights FILE -picture FILE     the Predictor without a server
//	serve-bench picture FILE                    makes a photograph-like JPEG of 256x256
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math"
	"os"
	"runtime"
	"time"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/command"
	_ "github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/predict"
)

func main() {
	command.Main(func(ctx context.Context, stdout, stderr io.Writer) int {
		err := run(ctx, os.Args[1:], stdout)
		return command.Exit(ctx, stderr, "serve-bench", err, errors.As(err, new(failedError)))
	})
}

// options are the flags of all parts.
type options struct {
	name, url, picture, weights string
	clients                     command.Numbers
	pictures, threads           int
	lasting                     time.Duration
}

// failedError is an error of a measurement that had begun.
type failedError struct{ error }

func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return errors.New("there are load, soak, bare and picture")
	}
	o := &options{clients: command.Numbers{1, 8, 64}}
	f := flag.NewFlagSet(args[0], flag.ContinueOnError)
	f.StringVar(&o.name, "name", "", "what stands before each line")
	f.StringVar(&o.url, "url", "", "where to post pictures")
	f.StringVar(&o.picture, "picture", "", "file of a picture")
	f.StringVar(&o.weights, "weights", "", "file of weights")
	f.Var(&o.clients, "clients", "numbers of clients, or of pictures in a batch")
	f.IntVar(&o.pictures, "pictures", 1, "pictures of a request")
	f.IntVar(&o.threads, "threads", runtime.NumCPU(), "threads of the Predictor")
	f.DurationVar(&o.lasting, "time", 10*time.Second, "how long each number of clients asks")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	if args[0] == "picture" && f.NArg() == 1 {
		return photograph(f.Arg(0))
	}
	encoded, err := os.ReadFile(o.picture)
	switch {
	case err != nil:
		return err
	case f.NArg() > 0:
		return fmt.Errorf("%s is no flag", f.Arg(0))
	}
	switch args[0] {
	case "load":
		return load(ctx, o, encoded, stdout)
	case "soak":
		return soak(ctx, o, encoded, stdout)
	case "bare":
		return bare(ctx, o, encoded, stdout)
	}
	return fmt.Errorf("there is no %s; there are load, soak, bare and picture", args[0])
}

// bare measures a Predictor with batches of prepared samples, and how long a picture takes
// to prepare.
func bare(ctx context.Context, o *options, encoded []byte, stdout io.Writer) (err error) {
	d, err := device.Open("cpu", device.Options{Threads: o.threads})
	if err != nil {
		return err
	}
	defer command.Close(d, &err)
	for _, batch := range o.clients {
		if err := bareBatch(ctx, d, o, batch, encoded, stdout); err != nil {
			return err
		}
	}
	return nil
}

func bareBatch(ctx context.Context, d device.Device, o *options, batch int, encoded []byte, stdout io.Writer) (err error) {
	p, err := predict.Open(d, o.weights, predict.Options{Batch: batch, Parallel: 1})
	if err != nil {
		return err
	}
	defer command.Close(p, &err)
	samples := make([][]float32, batch)
	var preparing time.Duration
	for i := range samples {
		start := time.Now()
		views, err := p.Prepare(ctx, encoded)
		if err != nil {
			return err
		}
		preparing = time.Since(start) // the last one, when all is warm
		samples[i] = views[0]
	}
	passes := 0
	start := time.Now()
	for ; time.Since(start) < o.lasting; passes++ {
		if _, err := p.Run(ctx, samples); err != nil {
			return failedError{err}
		}
	}
	rate := float64(passes*batch) / time.Since(start).Seconds()
	fmt.Fprintf(stdout, "%-22s batch %3d  %9.1f pictures/s, %.2f ms to prepare one\n", o.name, batch, rate, preparing.Seconds()*1000)
	return nil
}

// photograph writes a JPEG that takes as long to decode as a photograph: smooth, with
// edges and noise.
func photograph(path string) error {
	m := image.NewRGBA(image.Rect(0, 0, 256, 256))
	noise := uint32(1)
	for y := range 256 {
		for x := range 256 {
			noise = noise*1664525 + 1013904223
			v := 128 + 60*math.Sin(float64(x)/17) + 40*math.Cos(float64(y)/11) + float64(noise>>24)/16
			if (x/40+y/40)%2 == 0 {
				v -= 40
			}
			c := uint8(min(max(v, 0), 255))
			m.SetRGBA(x, y, color.RGBA{c, uint8(int(c) * x / 255), 255 - c, 255})
		}
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := jpeg.Encode(f, m, &jpeg.Options{Quality: 90}); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
