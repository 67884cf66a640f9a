// The program that the page runs, compiled to WebAssembly: package demo for JavaScript.
//
// It sets globalThis.hubel, an object of functions. Each returns its result, or an object
// whose property error is the message of an error. Bytes and numbers come and go as typed
// arrays, what has parts as text in JSON.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"syscall/js"
	"unsafe"

	"github.com/hubel-go/hubel/demo"
	"github.com/hubel-go/hubel/device"
	_ "github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/modelfile"
)

// session is what a worker of the page has open.
type session struct {
	device      device.Device
	model       *modelfile.Model
	lens        *demo.Lens
	train, test *demo.Digits
	training    *demo.Training
}

func main() {
	d, err := device.Open("cpu", device.Options{Threads: 1})
	if err != nil {
		panic(err)
	}
	s := &session{device: d}
	hubel := map[string]any{}
	for name, f := range map[string]func(args []js.Value) (any, error){
		"open": s.open, "look": s.look, "draw": s.draw, "explain": s.explain,
		"digits": s.digits, "digit": s.digit,
		"train": s.begin, "step": s.step, "filters": s.filters, "check": s.check, "file": s.file,
	} {
		hubel[name] = js.FuncOf(func(_ js.Value, args []js.Value) (result any) {
			defer func() { // a mistake in a call, such as too few arguments, ends no worker
				if p := recover(); p != nil {
					result = map[string]any{"error": fmt.Sprint(name, ": ", p)}
				}
			}()
			result, err := f(args)
			if err != nil {
				return map[string]any{"error": err.Error()}
			}
			return result
		})
	}
	js.Global().Set("hubel", hubel)
	select {}
}

// open opens a weights file: open(bytes) is {network, classes, parameters, layers} in JSON.
func (s *session) open(args []js.Value) (any, error) {
	file := bytesOf(args[0])
	m, err := modelfile.ReadFrom(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	lens, err := demo.NewLens(s.device, m)
	if err != nil {
		return nil, err
	}
	if s.lens != nil {
		if err := s.lens.Close(); err != nil {
			return nil, err
		}
	}
	s.model, s.lens = m, lens
	return inJSON(map[string]any{"network": m.Network.Name, "classes": lens.Classes, "parameters": lens.Parameters(), "layers": lens.Layers})
}

var errNothingOpen = errors.New("no weights are open")

// draw looks at a drawing: draw(ink, width) is the digit that the network sees, and then the
// numbers of all layers.
func (s *session) draw(args []js.Value) (any, error) {
	return s.lookAt(demo.Normalise(bytesOf(args[0]), args[1].Int()))
}

// look looks at a digit as it is: look(pixels) is as draw.
func (s *session) look(args []js.Value) (any, error) {
	digit := make([]float32, demo.Side*demo.Side)
	for i, p := range bytesOf(args[0]) {
		digit[i] = float32(p)
	}
	return s.lookAt(digit)
}

func (s *session) lookAt(digit []float32) (any, error) {
	if s.lens == nil {
		return nil, errNothingOpen
	}
	values, err := s.lens.Look(digit)
	return numbers(append(digit, values...)), err
}

// explain explains a unit: explain(layer, channel, row, column) is a demo.Unit in JSON.
func (s *session) explain(args []js.Value) (any, error) {
	if s.lens == nil {
		return nil, errNothingOpen
	}
	u, err := s.lens.Explain(args[0].Int(), args[1].Int(), args[2].Int(), args[3].Int())
	if err != nil {
		return nil, err
	}
	return inJSON(u)
}

// digits opens a file of digits: digits(bytes) is {train, test}, how many there are.
func (s *session) digits(args []js.Value) (_ any, err error) {
	if s.train, s.test, err = demo.Unpack(bytesOf(args[0])); err != nil {
		return nil, err
	}
	return inJSON(map[string]int{"train": s.train.Len(), "test": s.test.Len()})
}

// digit is a digit of the test set: digit(i) has its pixels, and then its label.
func (s *session) digit(args []js.Value) (any, error) {
	digit := make([]float32, demo.Side*demo.Side)
	label, err := s.test.Read(digit, args[0].Int())
	return numbers(append(digit, float32(label))), err
}

// begin begins a training of the open network: train(iterations, batch, rate, seed).
func (s *session) begin(args []js.Value) (_ any, err error) {
	if s.model == nil {
		return nil, errNothingOpen
	}
	if s.training != nil {
		if err := s.training.Close(); err != nil {
			return nil, err
		}
	}
	s.training, err = demo.NewTraining(s.device, s.model, s.train, s.test, demo.TrainOptions{
		Iterations: args[0].Int(), Batch: args[1].Int(), Rate: args[2].Float(), Seed: uint64(args[3].Int()),
	})
	return nil, err
}

// step makes an update, and is a demo.Progress in JSON.
func (s *session) step([]js.Value) (any, error) {
	p, err := s.training.Step()
	if err != nil {
		return nil, err
	}
	return inJSON(p)
}

// filters are the weights of a layer in training as they are now: filters("conv1").
func (s *session) filters(args []js.Value) (any, error) {
	w, err := s.training.Weights(args[0].String() + ".weight")
	return numbers(w), err
}

// check counts the digits from one on and to before another that the network in training
// knows: check(from, to).
func (s *session) check(args []js.Value) (any, error) {
	return s.training.Test(args[0].Int(), args[1].Int())
}

// file is the weights file of the network in training.
func (s *session) file([]js.Value) (any, error) {
	file, err := s.training.File()
	return array(file), err
}

func inJSON(v any) (any, error) {
	text, err := json.Marshal(v)
	return string(text), err
}

func bytesOf(v js.Value) []byte {
	b := make([]byte, v.Length())
	js.CopyBytesToGo(b, v)
	return b
}

func array(b []byte) js.Value {
	v := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(v, b)
	return v
}

// numbers is a Float32Array.
func numbers(x []float32) any {
	if len(x) == 0 {
		return nil
	}
	b := array(unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x)))
	return js.Global().Get("Float32Array").New(b.Get("buffer"))
}
