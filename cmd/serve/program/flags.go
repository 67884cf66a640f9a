package program

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/serve"
)

// options are the flags.
type options struct {
	serve serve.Options

	addr            command.Listen
	cert, key       string
	features, hosts command.Names
	device          string
	threads         int
	cpuPath         command.Path
	mib, megapixels int
}

// weights are the flags -weights, each FILE or NAME=FILE.
type weights []serve.Model

// Set implements flag.Value.
func (w *weights) Set(text string) error {
	m := serve.Model{File: text}
	if name, file, ok := strings.Cut(text, "="); ok && serve.ValidName(name) {
		m = serve.Model{Name: name, File: file}
	}
	if m.File == "" {
		return errors.New("it is a file, or NAME=FILE")
	}
	*w = append(*w, m)
	return nil
}

// String implements flag.Value.
func (w *weights) String() string {
	var parts []string
	for _, m := range *w {
		parts = append(parts, strings.TrimPrefix(m.Name+"="+m.File, "="))
	}
	return strings.Join(parts, ",")
}

// flagSet declares the flags.
func (o *options) flagSet() *flag.FlagSet {
	f := flag.NewFlagSet("serve", flag.ContinueOnError)
	f.SetOutput(io.Discard) // an error is one line, without the usage
	f.Var((*weights)(&o.serve.Models), "weights", "`FILE` of weights that train has written, or NAME=FILE; several times for several models. Without a name it is the network's")
	o.addr = "127.0.0.1:8000"
	f.Var(&o.addr, "addr", "`ADDRESS` to listen on: HOST:PORT, or a port of 127.0.0.1, which only this machine reaches; :8000 is for all. 127.0.0.1:0 takes a free port")
	f.Var(&o.hosts, "host", "`NAMES` with commas between, each with a port or without, by which clients call the server besides its address")
	f.StringVar(&o.cert, "cert", "", "`FILE` of a certificate and those above it, in PEM: speak TLS")
	f.StringVar(&o.key, "key", "", "`FILE` of the certificate's key, in PEM")
	f.IntVar(&o.serve.Batch, "batch", 32, "images per pass, at most")
	f.DurationVar(&o.serve.Wait, "wait", 5*time.Millisecond, "`TIME` that a batch which could run waits for more pictures, at most")
	f.IntVar(&o.serve.Queue, "queue", 256, "pictures of a model that may be under way; requests with more are refused with status 429")
	f.IntVar(&o.mib, "max-body", 16, "`MiB` of a request, at most")
	f.IntVar(&o.serve.Pictures, "max-pictures", 64, "pictures of a request, at most")
	f.IntVar(&o.megapixels, "max-megapixels", 50, "million pixels of a picture, at most")
	f.DurationVar(&o.serve.Timeout, "timeout", 30*time.Second, "`TIME` to read a request, and again to answer it, at most")
	f.Var(&o.features, "features", "let requests ask for the outputs of these `LAYERS`, names separated by commas; every model must have them")
	f.BoolVar(&o.serve.TenCrops, "ten-crop", false, "predict the mean over ten crops of each picture")
	f.StringVar(&o.device, "device", "cpu", "`NAME` of a device: "+strings.Join(device.Names(), ", ")+"; cuda:1 if there are several")
	f.IntVar(&o.threads, "threads", 0, "CPU threads; 0 for all")
	o.cpuPath = device.AutoPath
	f.Var(&o.cpuPath, "cpu-path", command.PathUsage)
	return f
}

// parse reads the command line. Its error for -h is flag.ErrHelp.
func parse(args []string) (*options, error) {
	o := &options{}
	f := o.flagSet()
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, fmt.Errorf("%w; -h lists the flags", err)
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("%s is no flag: weights are named by -weights", f.Arg(0))
	case len(o.serve.Models) == 0:
		return nil, errors.New("-weights is missing, such as -weights runs/NAME/best.safetensors")
	case (o.cert == "") != (o.key == ""):
		return nil, errors.New("-cert and -key need each other")
	case o.serve.Timeout < time.Second || o.serve.Timeout > time.Hour:
		return nil, errors.New("-timeout must be from 1s to 1h")
	case o.serve.Wait < 0 || o.serve.Wait > o.serve.Timeout:
		return nil, errors.New("-wait must be at least 0, and at most -timeout")
	}
	for _, limit := range []struct {
		name     string
		n, least int
		most     int
	}{
		{"batch", o.serve.Batch, 1, 1 << 16}, {"queue", o.serve.Queue, 1, 1 << 20}, {"max-pictures", o.serve.Pictures, 1, 1 << 16},
		{"max-body", o.mib, 1, 1 << 10}, {"max-megapixels", o.megapixels, 1, 134}, {"threads", o.threads, 0, 1 << 16},
	} {
		if limit.n < limit.least || limit.n > limit.most {
			return nil, fmt.Errorf("-%s must be from %d to %d", limit.name, limit.least, limit.most)
		}
	}
	if o.serve.Pictures > o.serve.Queue {
		return nil, errors.New("-max-pictures must be at most -queue")
	}
	for _, name := range o.hosts {
		if host, port, err := net.SplitHostPort(name); err == nil {
			if _, err := strconv.ParseUint(port, 10, 16); err != nil || host == "" {
				return nil, fmt.Errorf("-host %s is not NAME or NAME:PORT", name)
			}
		} else if strings.ContainsAny(name, ":/@ ") {
			return nil, fmt.Errorf("-host %s is not NAME or NAME:PORT", name)
		}
	}
	o.serve.Features, o.serve.Hosts = o.features, o.hosts
	o.serve.Body, o.serve.Pixels = int64(o.mib)<<20, o.megapixels*1e6
	return o, nil
}

const usageHead = `serve answers HTTP requests with the predictions of trained networks: pictures, and the
protocol of KServe and Triton (v2). There is a page at / for a browser.

  serve -weights FILE [flags]

`

const usageFoot = `
Examples
  serve -weights runs/a/best.safetensors
  curl -T cat.jpg -X POST -H 'Content-Type: image/jpeg' http://127.0.0.1:8000/predict
  serve -weights cats=runs/a/best.safetensors -weights dogs=runs/b/best.safetensors
  serve -weights runs/a/best.safetensors -addr :8443 -cert cert.pem -key key.pem -host example.org

SIGHUP reads the weights again. New ones that answer take the place of the old ones, which
go on until then, and go on if the new ones do not answer. Ctrl-C and SIGTERM finish the
requests that were taken, and end.

Exit code: 0 ended by Ctrl-C or SIGTERM; 1 the device or the network connection failed,
requests had to be cut off, or weights are NaN; 2 the flags, the weights or the certificate
are wrong, or the address cannot be listened on.
`

// usage writes the help.
func usage(w io.Writer, f *flag.FlagSet) {
	fmt.Fprint(w, usageHead)
	f.VisitAll(func(f *flag.Flag) { command.Explain(w, f) })
	fmt.Fprint(w, usageFoot)
}
