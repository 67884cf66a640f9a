package serve

import (
	"context"
	"net/http"
	"runtime/debug"

	"github.com/hubel-go/hubel/predict"
)

// The protocol of KServe and Triton, version 2 ("Open Inference Protocol"), over HTTP, with
// Triton's extension for tensors in binary. Of its other extensions there are none.

const binaryExtension = "binary_tensor_data"

// v2 says what the server is.
func (s *Server) v2(w http.ResponseWriter, _ *http.Request) error {
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	answerJSON(w, http.StatusOK, map[string]any{"name": "hubel", "version": version, "extensions": []string{binaryExtension}})
	return nil
}

func (s *Server) v2Live(w http.ResponseWriter, _ *http.Request) error {
	answerJSON(w, http.StatusOK, map[string]bool{"live": true})
	return nil
}

func (s *Server) v2Ready(w http.ResponseWriter, _ *http.Request) error {
	if s.ending.Load() {
		return errClosed
	}
	answerJSON(w, http.StatusOK, map[string]bool{"ready": true})
	return nil
}

func (s *Server) v2ModelReady(w http.ResponseWriter, _ *http.Request, m *model) error {
	if s.ending.Load() {
		return errClosed
	}
	answerJSON(w, http.StatusOK, map[string]any{"name": m.name, "ready": true})
	return nil
}

// tensorMetadata describes an input or output: -1 stands for the samples of a request.
type tensorMetadata struct {
	Name     string `json:"name"`
	Datatype string `json:"datatype"`
	Shape    []int  `json:"shape"`
}

// v2Model describes a model. Features are outputs that a request may ask for.
func (s *Server) v2Model(w http.ResponseWriter, _ *http.Request, m *model) error {
	g, err := m.acquire()
	if err != nil {
		return err
	}
	defer g.release()
	describe := func(name string, shape []int) tensorMetadata {
		return tensorMetadata{name, typeFP32, append([]int{-1}, shape...)}
	}
	outputs := []tensorMetadata{describe(g.net.Output(), g.net.OutputShape())}
	for i, name := range g.net.Features() {
		outputs = append(outputs, describe(name, g.net.FeatureShape(i)))
	}
	answerJSON(w, http.StatusOK, map[string]any{
		"name": m.name, "platform": "hubel",
		"inputs":  []tensorMetadata{describe(g.net.Input(), g.net.Shape())},
		"outputs": outputs,
	})
	return nil
}

// v2Infer predicts for tensors.
func (s *Server) v2Infer(w http.ResponseWriter, r *http.Request, m *model) error {
	drop, err := s.hold(w, r)
	if err != nil {
		return err
	}
	defer drop()
	body, err := readAll(r)
	if err != nil {
		return err
	}
	req, err := parseInfer(body, r.Header.Get(lengthHeader))
	if err != nil {
		return err
	}
	g, err := m.acquire()
	if err != nil {
		return err
	}
	defer g.release()
	in, err := req.input(g.net, s.o.Pictures)
	if err != nil {
		return err
	}
	outputs, err := req.asks(g.net)
	if err != nil {
		return err
	}
	all, err := s.run(r.Context(), g, in.count, func(ctx context.Context, i int) ([][]float32, error) {
		if in.encoded != nil {
			samples, err := g.prepare(ctx, in.encoded[i])
			if err != nil {
				err = inPicture(i, "", in.count, err)
			}
			return samples, err
		}
		return [][]float32{in.sample(g.net, i)}, nil
	})
	if err != nil {
		return err
	}
	return answerInfer(w, m.name, req.ID, outputs, all)
}

// wanted is an output that a request asks for.
type wanted struct {
	name    string
	shape   []int // of a sample
	feature int   // of Options.Features; -1 is the network's output
	binary  bool
}

// of is what a prediction has of it.
func (o wanted) of(y predict.Prediction) []float32 {
	if o.feature < 0 {
		return y.Output
	}
	return y.Features[o.feature]
}
