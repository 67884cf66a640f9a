// Package serve answers HTTP requests with the predictions of trained networks: of pictures,
// and of tensors in the protocol of KServe and Triton. docs/serving.md describes both.
package serve

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/printable"
)

// Options are the options of a Server. All numbers must be above 0, but for Wait, which may
// be 0.
type Options struct {
	Models []Model // at least one; the first is the one of /predict
	Device device.Device

	Batch    int      // samples of a pass
	Features []string // values of the networks that requests may ask for
	TenCrops bool     // predict the mean over ten views of a picture

	Wait     time.Duration // that a batch which could run waits for more pictures
	Queue    int           // pictures that may be under way, of each model; more are refused
	Body     int64         // bytes of a request
	Pictures int           // of a request
	Pixels   int           // of a picture
	Timeout  time.Duration // to read a request; and again to answer it

	Hosts []string // names of the server, besides its address: NAME or NAME:PORT
	Log   io.Writer
}

// check says what is wrong with the options.
func (o *Options) check() error {
	switch {
	case o.Device == nil:
		return errors.New("there is no device to predict on")
	case len(o.Models) == 0:
		return errors.New("there are no weights to serve")
	case o.Batch < 1, o.Queue < 1, o.Body < 1, o.Pictures < 1, o.Pixels < 1, o.Timeout <= 0, o.Wait < 0:
		return errors.New("batch, queue, limits and timeout must be above 0")
	case o.Pictures > o.Queue:
		return fmt.Errorf("a request of %d pictures does not fit a queue of %d", o.Pictures, o.Queue)
	}
	for _, m := range o.Models {
		if m.Name != "" && !ValidName(m.Name) {
			return fmt.Errorf("%s is no name of a model: letters, digits, '.', '_' and '-' are allowed", printable.Name(m.Name))
		}
	}
	return nil
}

// bodies is how many requests of the largest size may be in memory.
const bodies = 16

// Server answers requests. Its methods may be called from any number of goroutines.
type Server struct {
	o      Options
	models []*model
	meter  *meter

	inMemory *semaphore.Weighted // bytes of requests
	decoding chan struct{}       // one for each picture that is decoded
	ending   atomic.Bool

	logging  sync.Mutex
	closing  sync.Once
	closeErr error
}

// New reads the weights of all models, and lets each answer once.
func New(ctx context.Context, o Options) (*Server, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	s := &Server{
		o: o, meter: newMeter(),
		inMemory: semaphore.NewWeighted(bodies * o.Body),
		decoding: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
	for _, of := range o.Models {
		m := &model{name: of.Name, file: of.File, o: &s.o}
		if err := m.open(ctx, s.meter, s.find); err != nil {
			return nil, cmp.Or(err, s.Close())
		}
		s.models = append(s.models, m)
	}
	return s, nil
}

// find is the model of a name, nil if there is none.
func (s *Server) find(name string) *model {
	for _, m := range s.models {
		if m.name == name {
			return m
		}
	}
	return nil
}

// Names are the names of the models.
func (s *Server) Names() []string {
	var names []string
	for _, m := range s.models {
		names = append(names, m.name)
	}
	return names
}

// Reload reads the weights of all models again. New weights that answer take the place of
// the old ones; others are refused with a line in the log, and the old ones go on. The error
// is the first of those.
func (s *Server) Reload(ctx context.Context) error {
	var errs []error
	for _, m := range s.models {
		refused, closing := m.reload(ctx)
		switch {
		case refused != nil:
			s.log("%s: the old weights go on: %v", m.name, refused)
		case closing != nil:
			s.log("%s: new weights of %s; the memory of the old ones: %v", m.name, printable.Name(m.file), closing)
		default:
			s.log("%s: new weights of %s", m.name, printable.Name(m.file))
		}
		errs = append(errs, refused, closing)
	}
	return cmp.Or(errs...)
}

// Serve answers requests until ctx is cancelled; then it finishes those that it has taken,
// for which they have Options.Timeout, and returns nil. With a certificate it speaks TLS.
func (s *Server) Serve(ctx context.Context, l net.Listener, certificate *tls.Certificate) error {
	srv := &http.Server{
		Handler:           s.Handler(l.Addr()),
		ReadHeaderTimeout: min(10*time.Second, s.o.Timeout),
		ReadTimeout:       s.o.Timeout,
		WriteTimeout:      3 * s.o.Timeout, // from the end of the head: to read, to answer and to write
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(logLines{s}, "", 0),
	}
	ended := make(chan error, 1)
	go func() {
		if certificate == nil {
			ended <- srv.Serve(l)
			return
		}
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12}
		ended <- srv.ServeTLS(l, "", "")
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	s.ending.Store(true)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*s.o.Timeout)
	defer cancel()
	err := srv.Shutdown(last)
	if err != nil {
		err = cmp.Or(fmt.Errorf("requests that did not end within %v were cut off", 2*s.o.Timeout), srv.Close())
	}
	<-ended
	return err
}

// Close waits for requests, and frees the device's memory. A second Close does nothing, and
// returns the same error.
func (s *Server) Close() error {
	s.closing.Do(func() {
		s.ending.Store(true)
		var errs []error
		for _, m := range slices.Backward(s.models) {
			errs = append(errs, m.close())
		}
		s.closeErr = cmp.Or(errs...)
	})
	return s.closeErr
}

// log writes a line.
func (s *Server) log(format string, args ...any) {
	if s.o.Log == nil {
		return
	}
	s.logging.Lock()
	defer s.logging.Unlock()
	fmt.Fprintln(s.o.Log, printable.Line(fmt.Sprintf(format, args...)))
}

// logLines is the log of an http.Server.
type logLines struct{ s *Server }

func (l logLines) Write(text []byte) (int, error) {
	l.s.log("%s", strings.TrimSpace(string(text)))
	return len(text), nil
}
