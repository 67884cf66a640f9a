package serve

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"

	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/predict"
)

// lengthHeader says how many bytes of a body are JSON; tensors in binary follow.
const lengthHeader = "Inference-Header-Content-Length"

// Datatypes of the protocol that are read.
const (
	typeFP32  = "FP32"  // samples as the network takes them
	typeUINT8 = "UINT8" // pixels from 0 to 255, which the server preprocesses
	typeBYTES = "BYTES" // encoded pictures
)

// inferRequest is a request for predictions.
type inferRequest struct {
	ID         string             `json:"id"`
	Parameters inferParameters    `json:"parameters"`
	Inputs     few[inferTensor]   `json:"inputs"`
	Outputs    few[inferSelected] `json:"outputs"`
}

// inferSelected is an output that is asked for.
type inferSelected struct {
	Name       string          `json:"name"`
	Parameters inferParameters `json:"parameters"`
}

// inferParameters are those that are known. Others are passed over, but for one that would
// change the answer.
type inferParameters struct {
	BinarySize     *int            `json:"binary_data_size"`
	Binary         *bool           `json:"binary_data"`
	BinaryOutput   bool            `json:"binary_data_output"`
	Classification json.RawMessage `json:"classification"`
}

// inferTensor is an input.
type inferTensor struct {
	Name       string          `json:"name"`
	Shape      few[int]        `json:"shape"`
	Datatype   string          `json:"datatype"`
	Parameters inferParameters `json:"parameters"`
	Data       json.RawMessage `json:"data"`

	binary []byte // in place of Data
}

// parseInfer reads a body, of which so many bytes are JSON as the header says; without it,
// all are.
func parseInfer(body []byte, header string) (*inferRequest, error) {
	text, rest := body, []byte(nil)
	if header != "" {
		n, err := strconv.Atoi(header)
		if err != nil || n < 0 || n > len(body) {
			return nil, bad("%s %s is no part of the body's %d bytes", lengthHeader, printable.Name(header), len(body))
		}
		text, rest = body[:n], body[n:]
	}
	var r inferRequest
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, bad("the request is not JSON of the protocol: %v", err)
	}
	for i := range r.Inputs {
		in := &r.Inputs[i]
		size := in.Parameters.BinarySize
		if size == nil {
			continue
		}
		if *size < 0 || *size > len(rest) {
			return nil, bad("input %s has %d bytes, but %d are left in the body", printable.Name(in.Name), *size, len(rest))
		}
		if in.Data != nil {
			return nil, bad("input %s has data in JSON and in binary", printable.Name(in.Name))
		}
		in.binary, rest = rest[:*size:*size], rest[*size:]
	}
	if len(rest) > 0 {
		return nil, bad("%d bytes at the end of the body belong to no input", len(rest))
	}
	return &r, nil
}

// samples are those of a request, in one of three forms.
type samples struct {
	count   int
	values  []float32 // as the network takes them
	pixels  []byte    // from 0 to 255
	encoded [][]byte  // pictures
}

// input reads the one input of a network, of at most so many samples.
func (r *inferRequest) input(p *predict.Predictor, most int) (*samples, error) {
	if len(r.Inputs) != 1 || r.Inputs[0].Name != p.Input() {
		return nil, bad("the network takes one input, %s", printable.Name(p.Input()))
	}
	in := &r.Inputs[0]
	name := printable.Name(in.Name)
	if in.Data == nil && in.Parameters.BinarySize == nil {
		return nil, bad("input %s has no data", name)
	}
	want := append([]int{-1}, p.Shape()...)
	if in.Datatype == typeBYTES {
		want = want[:1]
	}
	if len(in.Shape) != len(want) || !slices.Equal(in.Shape[1:], want[1:]) {
		return nil, bad("input %s has the shape %v; the network takes %v of %s", name, in.Shape, want, printable.Name(in.Datatype))
	}
	n := in.Shape[0]
	switch {
	case n < 1:
		return nil, bad("input %s has the shape %v, without a sample", name, in.Shape)
	case n > most:
		return nil, tooMany(most)
	}
	s := &samples{count: n}
	var err error
	switch in.Datatype {
	case typeFP32:
		s.values, err = in.floats()
	case typeUINT8:
		s.pixels, err = in.bytes()
	case typeBYTES:
		s.encoded, err = in.strings()
	default:
		err = bad("input %s is of %s; FP32, UINT8 and BYTES are read", name, printable.Name(in.Datatype))
	}
	return s, err
}

// sample is sample i as the network takes it, of one that is not encoded.
func (s *samples) sample(p *predict.Predictor, i int) []float32 {
	if s.values != nil {
		each := len(s.values) / s.count
		return s.values[i*each : (i+1)*each]
	}
	each := len(s.pixels) / s.count
	x := make([]float32, each)
	for k, v := range s.pixels[i*each : (i+1)*each] {
		x[k] = float32(v)
	}
	p.Preprocess().Apply(x)
	return x
}

// floats reads FP32.
func (t *inferTensor) floats() (x []float32, err error) {
	if t.binary == nil {
		x = make([]float32, 0, t.elements(len(t.Data)))
		err = t.numbers(func(text []byte) bool {
			v, err := strconv.ParseFloat(string(text), 32)
			x = append(x, float32(v))
			return err == nil
		})
		return x, err
	}
	if len(t.binary)%4 != 0 || len(t.binary)/4 != t.elements(len(t.binary)) {
		return nil, t.wrongSize(4)
	}
	x = make([]float32, len(t.binary)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.binary[4*i:]))
	}
	if finite(x) != nil {
		return nil, bad("input %s: not all of its values are finite", printable.Name(t.Name))
	}
	return x, nil
}

// bytes reads UINT8.
func (t *inferTensor) bytes() (x []byte, err error) {
	if t.binary == nil {
		x = make([]byte, 0, t.elements(len(t.Data)))
		err = t.numbers(func(text []byte) bool {
			v, err := strconv.ParseUint(string(text), 10, 8)
			x = append(x, byte(v))
			return err == nil
		})
		return x, err
	}
	if len(t.binary) != t.elements(len(t.binary)) {
		return nil, t.wrongSize(1)
	}
	return t.binary, nil
}

// strings reads BYTES: in JSON as base64, in binary each after its length.
func (t *inferTensor) strings() (list [][]byte, err error) {
	name := printable.Name(t.Name)
	if t.binary == nil {
		if elements(t.Data, t.Shape[0]) == t.Shape[0] && json.Unmarshal(t.Data, &list) == nil {
			return list, nil
		}
		return nil, bad("input %s is not %d pictures in base64", name, t.Shape[0])
	}
	rest := t.binary
	for len(rest) >= 4 && len(list) < t.Shape[0] {
		n := int64(binary.LittleEndian.Uint32(rest))
		if rest = rest[4:]; n > int64(len(rest)) {
			break
		}
		list, rest = append(list, rest[:n:n]), rest[n:]
	}
	if len(rest) > 0 || len(list) != t.Shape[0] {
		return nil, bad("input %s is not %d pictures, each after its length in 4 bytes", name, t.Shape[0])
	}
	return list, nil
}

// elements is how many elements the shape has; one more than most, if there are more than
// most.
func (t *inferTensor) elements(most int) int {
	n := 1
	for _, d := range t.Shape {
		if d > most/n {
			return most + 1
		}
		n *= d
	}
	return n
}

func (t *inferTensor) wrongSize(each int) error {
	return bad("input %s has %d bytes; the shape %v takes %d for each of its elements", printable.Name(t.Name), len(t.binary), t.Shape, each)
}

// numbers gives the numbers of Data to take. They stand in one list, or in lists of lists as
// the shape says. Data is valid JSON.
func (t *inferTensor) numbers(take func(text []byte) bool) error {
	wrong := func(why string) error { return bad("input %s: %s", printable.Name(t.Name), why) }
	want := t.elements(len(t.Data))
	data := bytes.TrimSpace(t.Data)
	nested := bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(data, []byte("[")), " \t\r\n"), []byte("["))
	open := []int{} // for each list that is open, how many elements it has
	n := 0
	for len(data) > 0 {
		switch c := data[0]; c {
		case ' ', '\t', '\r', '\n', ',':
			data = data[1:]
		case '[':
			if len(open) > 0 {
				open[len(open)-1]++
			}
			open, data = append(open, 0), data[1:]
			if len(open) > len(t.Shape) || len(open) > 1 && !nested {
				return wrong("its lists are deeper than its shape")
			}
		case ']':
			have := open[len(open)-1]
			if nested && have != t.Shape[len(open)-1] {
				return wrong("its lists are not as long as its shape says")
			}
			open, data = open[:len(open)-1], data[1:]
		default:
			end := bytes.IndexAny(data, ",] \t\r\n")
			if end < 0 || len(open) == 0 || nested && len(open) != len(t.Shape) {
				return wrong("it is not a list of numbers as its shape says")
			}
			if n++; n > want {
				return wrong("it has more numbers than its shape")
			}
			if !take(data[:end]) {
				return wrong(printable.Name(string(data[:min(end, 40)])) + " is no number of " + printable.Name(t.Datatype))
			}
			open[len(open)-1]++
			data = data[end:]
		}
	}
	if n != want {
		return wrong("it has " + strconv.Itoa(n) + " numbers, and its shape has more")
	}
	return nil
}

// asks lists the outputs that a request asks for: those it names, or the network's
// output alone.
func (r *inferRequest) asks(p *predict.Predictor) ([]wanted, error) {
	output := wanted{name: p.Output(), shape: p.OutputShape(), feature: -1, binary: r.Parameters.BinaryOutput}
	if len(r.Outputs) == 0 {
		return []wanted{output}, nil
	}
	features := p.Features()
	var list []wanted
	for _, o := range r.Outputs {
		w := output
		if o.Name != p.Output() {
			i := slices.Index(features, o.Name)
			if i < 0 {
				return nil, bad("there is no output %s; there is %s", printable.Name(o.Name), printable.Names(append([]string{p.Output()}, features...)))
			}
			w = wanted{name: o.Name, shape: p.FeatureShape(i), feature: i, binary: output.binary}
		}
		if o.Parameters.Classification != nil {
			return nil, bad("the extension classification is not there: /models/NAME/predict answers with classes")
		}
		if o.Parameters.Binary != nil {
			w.binary = *o.Parameters.Binary
		}
		if slices.ContainsFunc(list, func(other wanted) bool { return other.name == w.name }) {
			return nil, bad("the output %s is asked for twice", printable.Name(o.Name))
		}
		list = append(list, w)
	}
	return list, nil
}

// inferOutput is an output of an answer.
type inferOutput struct {
	Name       string         `json:"name"`
	Datatype   string         `json:"datatype"`
	Shape      []int          `json:"shape"`
	Parameters map[string]int `json:"parameters,omitempty"`
	Data       []float32      `json:"data,omitempty"`
}

// answerInfer answers with what was asked for of all samples.
func answerInfer(w http.ResponseWriter, model, id string, list []wanted, all []predict.Prediction) error {
	var out struct {
		Model   string        `json:"model_name"`
		ID      string        `json:"id,omitempty"`
		Outputs []inferOutput `json:"outputs"`
	}
	out.Model, out.ID = model, id
	var tail []byte
	for _, want := range list {
		o := inferOutput{Name: want.name, Datatype: typeFP32, Shape: append([]int{len(all)}, want.shape...)}
		before := len(tail)
		for _, y := range all {
			if !want.binary {
				o.Data = append(o.Data, want.of(y)...)
				continue
			}
			for _, v := range want.of(y) {
				tail = binary.LittleEndian.AppendUint32(tail, math.Float32bits(v))
			}
		}
		if want.binary {
			o.Parameters = map[string]int{"binary_data_size": len(tail) - before}
		}
		out.Outputs = append(out.Outputs, o)
	}
	if tail == nil {
		answerJSON(w, http.StatusOK, out)
		return nil
	}
	head, err := json.Marshal(out)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set(lengthHeader, strconv.Itoa(len(head)))
	w.Header().Set("Content-Length", strconv.Itoa(len(head)+len(tail)))
	_, _ = w.Write(append(head, tail...)) // to a client that may be gone
	return nil
}
