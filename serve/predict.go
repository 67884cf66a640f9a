package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/predict"
)

// defaultTop is how many classes an answer has unless the request says.
const defaultTop = 5

// answer is what /predict answers.
type answer struct {
	Model       string       `json:"model"`
	Predictions []prediction `json:"predictions"` // in the order of the pictures
}

// prediction is that of a picture.
type prediction struct {
	File     string               `json:"file,omitempty"` // as the request names it
	Top      []predict.Guess      `json:"top,omitempty"`
	Output   []float32            `json:"output,omitempty"` // of a network without classes
	Points   [][2]float32         `json:"points,omitempty"` // the same in pairs, of a regression of even numbers: x and y from -1 to 1
	Features map[string][]float32 `json:"features,omitempty"`
}

// asked is what the query of a request asks for.
type asked struct {
	top      int
	features []int // of Options.Features
}

// parseQuery reads top=N and features=NAME,NAME.
func parseQuery(r *http.Request, features []string) (a asked, err error) {
	a.top = defaultTop
	for key, values := range r.URL.Query() {
		switch key {
		case "top":
			if a.top, err = strconv.Atoi(values[0]); err != nil || a.top < 1 {
				return a, bad("top is a whole number above 0")
			}
		case "features":
			for name := range strings.SplitSeq(strings.Join(values, ","), ",") {
				i := slices.Index(features, name)
				if i < 0 {
					return a, bad("%s", noFeature(name, features))
				}
				a.features = append(a.features, i)
			}
		default:
			return a, bad("%s is no parameter; there are top and features", printable.Name(key))
		}
	}
	return a, nil
}

func noFeature(name string, features []string) string {
	if len(features) == 0 {
		return fmt.Sprintf("there is no feature %s: the server was started without -features", printable.Name(name))
	}
	return fmt.Sprintf("there is no feature %s; there is %s", printable.Name(name), printable.Names(features))
}

// predict answers with what a model says of the pictures in a request.
func (s *Server) predict(w http.ResponseWriter, r *http.Request, m *model) error {
	drop, err := s.hold(w, r)
	if err != nil {
		return err
	}
	defer drop()
	pictures, err := readPictures(r, s.o.Pictures)
	if err != nil {
		return err
	}
	ask, err := parseQuery(r, s.o.Features)
	if err != nil {
		return err
	}
	g, err := m.acquire()
	if err != nil {
		return err
	}
	defer g.release()
	all, err := s.run(r.Context(), g, len(pictures), func(ctx context.Context, i int) ([][]float32, error) {
		samples, err := g.prepare(ctx, pictures[i].encoded)
		if err != nil {
			err = inPicture(i, pictures[i].name, len(pictures), err)
		}
		return samples, err
	})
	if err != nil {
		return err
	}
	out := answer{Model: m.name, Predictions: make([]prediction, len(all))}
	for i, y := range all {
		out.Predictions[i] = told(g.net, y, ask)
		out.Predictions[i].File = pictures[i].name
	}
	answerJSON(w, http.StatusOK, out)
	return nil
}

// told is a prediction as it is answered.
func told(p *predict.Predictor, y predict.Prediction, ask asked) prediction {
	var t prediction
	if len(p.Classes()) > 0 {
		t.Top = p.Top(y, ask.top)
	} else {
		t.Output = y.Output
		if n := len(y.Output); n%2 == 0 && p.Regression() {
			for i := 0; i < n; i += 2 {
				t.Points = append(t.Points, [2]float32{y.Output[i], y.Output[i+1]})
			}
		}
	}
	for _, k := range ask.features {
		if t.Features == nil {
			t.Features = map[string][]float32{}
		}
		t.Features[p.Features()[k]] = y.Features[k]
	}
	return t
}

// run makes samples of n pictures, several at a time, and predicts for them. Whoever uses g
// longer than that must hold it.
func (s *Server) run(ctx context.Context, g *generation, n int, prepare func(ctx context.Context, i int) ([][]float32, error)) ([]predict.Prediction, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	if err := g.batches.take(n); err != nil {
		return nil, err
	}
	defer g.batches.give(n)
	samples := make([][][]float32, n)
	workers, working := errgroup.WithContext(ctx)
	workers.SetLimit(cap(s.decoding))
	for i := range n {
		workers.Go(func() (err error) {
			select {
			case s.decoding <- struct{}{}:
			case <-working.Done():
				return working.Err()
			}
			defer func() { <-s.decoding }()
			samples[i], err = prepare(working, i)
			return err
		})
	}
	if err := workers.Wait(); err != nil {
		return nil, reason(ctx, err)
	}
	all, err := g.batches.predict(ctx, samples)
	if err != nil {
		return nil, err
	}
	for _, y := range all {
		if err := finite(y.Output); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// reason is the reason of an error that a context that has ended caused.
func reason(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// prepare makes the samples of an encoded picture. What is wrong with the picture is a
// refusal.
func (g *generation) prepare(ctx context.Context, encoded []byte) ([][]float32, error) {
	samples, err := g.net.Prepare(ctx, encoded)
	switch {
	case err == nil || ctx.Err() != nil:
		return samples, err
	case errors.Is(err, predict.ErrPixels):
		return nil, refuse(http.StatusRequestEntityTooLarge, "%v", err)
	}
	// What it looks like instead is one of a few words.
	if like := http.DetectContentType(encoded); !strings.HasPrefix(like, "image/") && like != "application/octet-stream" {
		return nil, bad("%v; it looks like %s", err, like)
	}
	return nil, bad("%v", err)
}

// inPicture says in which of several pictures an error is.
func inPicture(i int, name string, of int, err error) error {
	var r *refusal
	if !errors.As(err, &r) || of == 1 {
		return err
	}
	if name != "" {
		name = " (" + printable.Name(name) + ")"
	}
	return refuse(r.status, "picture %d%s: %s", i+1, name, r.text)
}
