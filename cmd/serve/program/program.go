// Package program is the command serve. A program of your own can link it together with your
// layers, as with package cmd/train/program:
//
//	import (
//		_ "example.com/you/layers"
//
//		"github.com/hubel-go/hubel/cmd/serve/program"
//	)
//
//	func main() { program.Main() }
package program

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/VictoriaMetrics/metrics"

	"github.com/hubel-go/hubel/device"
	_ "github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/internal/command"
	_ "github.com/hubel-go/hubel/kernels/cpu"
	_ "github.com/hubel-go/hubel/kernels/cuda/cudadevice"
	"github.com/hubel-go/hubel/predict"
	"github.com/hubel-go/hubel/serve"
)

// Main runs the command serve with the arguments of the process, and ends the process.
func Main() {
	metrics.ExposeMetadata(true) // the types of what /metrics says
	command.MainReloading("serve", func(ctx context.Context, reload <-chan os.Signal, stdout, stderr io.Writer) int {
		return run(ctx, os.Args[1:], reload, stdout, stderr)
	})
}

// run is the whole program. It returns the exit code.
func run(ctx context.Context, args []string, reload <-chan os.Signal, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		usage(stdout, new(options).flagSet())
		return command.Done
	}
	if err == nil {
		err = serveRequests(ctx, o, reload, stdout, prefixed{stderr})
	}
	return command.Exit(ctx, stderr, "serve", err, errors.As(err, new(predict.FailedError)))
}

// prefixed are lines of the program.
type prefixed struct{ to io.Writer }

func (p prefixed) Write(line []byte) (int, error) {
	_, err := fmt.Fprintf(p.to, "serve: %s", line)
	return len(line), err
}

// serveRequests does what the flags ask for, until ctx is cancelled.
func serveRequests(ctx context.Context, o *options, reload <-chan os.Signal, stdout, log io.Writer) (err error) {
	var certificate *tls.Certificate
	scheme := "http"
	if o.cert != "" {
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return fmt.Errorf("-cert and -key: %w", err)
		}
		certificate, scheme = &pair, "https"
	}
	l, err := net.Listen("tcp", string(o.addr)) // before the work of loading
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	defer l.Close()
	d, err := device.Open(o.device, device.Options{Threads: o.threads, CPUPath: string(o.cpuPath)})
	if err != nil {
		return err
	}
	defer command.Close(d, &err)
	o.serve.Device, o.serve.Log = d, log
	s, err := serve.New(ctx, o.serve)
	if err != nil {
		return err
	}
	defer command.Close(s, &err)

	fmt.Fprintf(stdout, "%s on %s://%s\n", strings.Join(s.Names(), ", "), scheme, l.Addr())
	ctx, cancel := context.WithCancel(ctx)
	var reloading sync.WaitGroup
	reloading.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-reload:
				_ = s.Reload(ctx) // it has said why not
			}
		}
	})
	defer reloading.Wait()
	defer cancel()
	if err := s.Serve(ctx, l, certificate); err != nil {
		return command.BrokenError{Err: err}
	}
	return nil
}
