package serve

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/predict"
)

const (
	binaryType = "Content-Type: application/octet-stream"
	jsonType   = "Content-Type: application/json"
)

// form is a form with files, and a field that is none.
func form(t *testing.T, names []string, files ...[]byte) (body []byte, kind string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	require.NoError(t, w.WriteField("comment", "no file"))
	for i, file := range files {
		part, err := w.CreateFormFile("picture", names[i])
		require.NoError(t, err)
		_, err = part.Write(file)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes(), "Content-Type: " + w.FormDataContentType()
}

// inJSON are pictures in JSON.
func inJSON(files ...[]byte) []byte {
	list := make([]string, len(files))
	for i, f := range files {
		list[i] = base64.StdEncoding.EncodeToString(f)
	}
	text, _ := json.Marshal(map[string]any{"pictures": list})
	return text
}

// A picture is predicted as by the Predictor, in whatever form it comes.
func TestPictures(t *testing.T) {
	o := defaults(t)
	o.Features = []string{"fc1", "fc2"}
	c, p := clientOf(t, newServer(t, o)), alone(t, o, o.Models[0].File)
	files := [][]byte{painted(t, 1), painted(t, 2), painted(t, 3)}
	var want []predict.Prediction
	for _, f := range files {
		y, err := p.Picture(t.Context(), f)
		require.NoError(t, err)
		want = append(want, y)
	}
	check := func(got answer, wanted []predict.Prediction, top int, features ...int) {
		t.Helper()
		require.Equal(t, "small", got.Model)
		require.Len(t, got.Predictions, len(wanted))
		for i, y := range wanted {
			g := got.Predictions[i]
			guesses := p.Top(y, top)
			for k := range guesses {
				guesses[k].Class = strings.ToValidUTF8(guesses[k].Class, "\ufffd")
			}
			require.Equal(t, guesses, g.Top)
			require.Nil(t, g.Output)
			require.Nil(t, g.Points)
			require.Len(t, g.Features, len(features))
			for _, k := range features {
				require.Equal(t, y.Features[k], g.Features[o.Features[k]])
			}
		}
	}
	for _, kind := range []string{"image/png", "image/jpeg", "application/octet-stream", "image/x-unknown; a=b", ""} {
		for _, path := range []string{"/predict", "/models/small/predict"} {
			var got answer
			c.says(http.StatusOK, &got, "POST", path, files[0], "Content-Type: "+kind)
			check(got, want[:1], 4)
		}
	}
	var got answer
	names := []string{"a.png", `../../<b>"'` + "\n.png", "c"}
	body, kind := form(t, names, files...)
	c.says(http.StatusOK, &got, "POST", "/predict?top=2&features=fc2", body, kind)
	check(got, want, 2, 1)
	require.Equal(t, "a.png", got.Predictions[0].File)
	require.NotContains(t, got.Predictions[1].File, "/", "no path of a client is kept")

	got = answer{}
	w := c.says(http.StatusOK, &got, "POST", "/predict?top=1&features=fc2,fc1", inJSON(files...), jsonType+"; charset=utf-8")
	check(got, want, 1, 0, 1)
	require.NotContains(t, w.Body.String(), "<img", "JSON that is taken for HTML stays harmless")
}

// Names of classes come out as they are, and the bytes of one that is not UTF-8 too.
func TestNamesOfClasses(t *testing.T) {
	var got answer
	w := clientOf(t, newServer(t, defaults(t))).says(http.StatusOK, &got, "POST", "/predict?top=4", painted(t, 1), binaryType)
	for _, g := range got.Predictions[0].Top {
		if g.Label == 3 {
			require.Equal(t, []byte("caf\xe9"), g.ClassBytes)
			continue
		}
		require.Equal(t, classNames[g.Label], g.Class)
		require.Nil(t, g.ClassBytes)
	}
	require.NotContains(t, w.Body.String(), "\x1b")
}

// A network of points answers with them; one of other numbers with numbers.
func TestNumbers(t *testing.T) {
	dir := t.TempDir()
	plain := classifier(1)
	plain.Classes = nil
	o := defaults(t, Model{"points", write(t, filepath.Join(dir, "p"), points())}, Model{"plain", write(t, filepath.Join(dir, "c"), plain)})
	c := clientOf(t, newServer(t, o))
	var got answer
	c.says(http.StatusOK, &got, "POST", "/predict", corner(t), binaryType)
	require.Equal(t, []float32{255. / 256, 0.5, 0.5, 0.5}, got.Predictions[0].Output)
	require.Equal(t, [][2]float32{{255. / 256, 0.5}, {0.5, 0.5}}, got.Predictions[0].Points)
	got = answer{}
	c.says(http.StatusOK, &got, "POST", "/models/plain/predict", painted(t, 1), binaryType)
	require.Len(t, got.Predictions[0].Output, 4)
	require.Empty(t, got.Predictions[0].Points)
	require.Empty(t, got.Predictions[0].Top)
}

// Ten views of a picture are one prediction, whatever the batch is.
func TestTenCrops(t *testing.T) {
	m := classifier(3)
	m.Preprocess.Augment = data.Augment{{Op: data.Resize, H: 9, W: 9, P: 1}, {Op: data.Crop, H: 6, W: 5, P: 1}}
	file := write(t, filepath.Join(t.TempDir(), "w"), m)
	for _, batch := range []int{1, 10, 32} {
		o := defaults(t, Model{File: file})
		o.Batch, o.TenCrops = batch, true
		p := alone(t, o, file)
		var got answer
		clientOf(t, newServer(t, o)).says(http.StatusOK, &got, "POST", "/predict?top=1", inJSON(painted(t, 1), painted(t, 2), painted(t, 5)), jsonType)
		for i, seed := range []int{1, 2, 5} {
			y, err := p.Picture(t.Context(), painted(t, seed))
			require.NoError(t, err)
			require.Equal(t, p.Top(y, 1)[0].Probability, got.Predictions[i].Top[0].Probability)
		}
	}
}

// Whatever is wrong with a request, its answer says so with the right status.
func TestRefusals(t *testing.T) {
	o := defaults(t)
	o.Features = []string{"fc1"}
	o.Pictures, o.Body = 3, 5000
	s := newServer(t, o)
	c := clientOf(t, s)
	good := painted(t, 1)
	large := encoded(t, image.NewGray(image.Rect(0, 0, 200, 51)))
	many, manyKind := form(t, []string{"1", "2", "3", "4"}, good, good, good, good)
	none, noneKind := form(t, nil)
	one, oneKind := form(t, []string{"a", "b\u202e.png"}, good, []byte("%PDF-1.7 hello"))
	for _, x := range []struct {
		status       int
		method, path string
		body         []byte
		kind, says   string
	}{
		{400, "POST", "/predict", []byte("hello"), "", "it is not a JPEG, PNG, GIF, BMP, TIFF or WebP; it looks like text/plain; charset=utf-8"},
		{400, "POST", "/predict", []byte("<html>"), "image/png", "it is not a JPEG, PNG, GIF, BMP, TIFF or WebP but text; it looks like text/html; charset=utf-8"},
		{400, "POST", "/predict", []byte("\x00\x01\x02"), "image/png", "it is not a JPEG, PNG, GIF, BMP, TIFF or WebP"},
		{400, "POST", "/predict", good[:60], "image/png", "png: invalid format: not enough pixel data"},
		{400, "POST", "/predict", nil, "image/png", "the body of the request is empty"},
		{400, "POST", "/predict", one, oneKind[14:], `picture 2 ("b\u202e.png"): it is not a JPEG, PNG, GIF, BMP, TIFF or WebP; it looks like application/pdf`},
		{400, "POST", "/predict", inJSON(good, []byte("x")), "application/json", "picture 2: it is not a JPEG, PNG, GIF, BMP, TIFF or WebP; it looks like text/plain; charset=utf-8"},
		{400, "POST", "/predict", none, noneKind[14:], "there is no file in the form"},
		{400, "POST", "/predict", one[:len(one)-20], oneKind[14:], "the body of the request cannot be read: unexpected EOF"},
		{400, "POST", "/predict", []byte("x"), "multipart/form-data", "the body of the request cannot be read: multipart: boundary is empty"},
		{400, "POST", "/predict", []byte("{"), "application/json", `the body is not {"pictures": ["base64", ...]}: unexpected end of JSON input`},
		{400, "POST", "/predict", []byte(`{"pictures": ["?"]}`), "application/json", `the body is not {"pictures": ["base64", ...]}: illegal base64 data at input byte 0`},
		{400, "POST", "/predict", []byte(`{}`), "application/json", `there are no "pictures" in the body`},
		{400, "POST", "/predict?top=0", good, "image/png", "top is a whole number above 0"},
		{400, "POST", "/predict?top=x", good, "image/png", "top is a whole number above 0"},
		{400, "POST", "/predict?features=fc9", good, "image/png", "there is no feature fc9; there is fc1"},
		{400, "POST", "/predict?%1b=1", good, "image/png", `"\x1b" is no parameter; there are top and features`},
		{404, "POST", "/models/large/predict", good, "image/png", "there is no model large; there is small"},
		{404, "POST", "/models/..%2f..%2fetc%2fpasswd/predict", good, "image/png", "there is no model ../../etc/passwd; there is small"},
		{404, "GET", "/page/page.js", nil, "", "there is nothing at /page/page.js; docs/serving.md lists what there is"},
		{404, "GET", "/%00", nil, "", `there is nothing at "/\x00"; docs/serving.md lists what there is`},
		{405, "GET", "/predict", nil, "", "/predict takes POST"},
		{405, "POST", "/", nil, "", "/ takes GET"},
		{405, "DELETE", "/models/small/predict", nil, "", "/models/{model}/predict takes POST"},
		{413, "POST", "/predict", large, "image/png", "the picture has too many pixels: 200x51, more than 10000"},
		{413, "POST", "/predict", make([]byte, 5001), "image/png", "the request is larger than 5000 bytes"},
		{413, "POST", "/predict", many, manyKind[14:], "a request may have 3 pictures"},
		{413, "POST", "/predict", inJSON(good, good, good, good), "application/json", "a request may have 3 pictures"},
		{415, "POST", "/predict", good, "application/x-www-form-urlencoded", "the Content-Type application/x-www-form-urlencoded is not read: send a picture as image/jpeg or application/octet-stream, several as multipart/form-data or application/json"},
		{415, "POST", "/predict", good, "text/plain", "the Content-Type text/plain is not read: send a picture as image/jpeg or application/octet-stream, several as multipart/form-data or application/json"},
	} {
		require.Equal(t, x.says, c.fails(x.status, x.method, x.path, x.body, "Content-Type: "+x.kind), "%s %s", x.method, x.path)
	}

	// A body that does not say how long it is has the same bound.
	r, err := http.NewRequestWithContext(t.Context(), "POST", "/predict", struct{ *bytes.Reader }{bytes.NewReader(make([]byte, 5001))})
	require.NoError(t, err)
	require.Zero(t, r.ContentLength)
	r.ContentLength, r.Host = -1, "localhost:8000"
	w := record(c.h, r)
	require.Equal(t, 413, w.Code)
	require.JSONEq(t, `{"error":"the request is larger than 5000 bytes"}`, w.Body.String())

	// Nothing of that is left: neither places nor memory.
	require.Zero(t, s.models[0].now.batches.places)
	require.True(t, s.inMemory.TryAcquire(bodies*o.Body))
	require.Equal(t, "the queue is full: try again later", c.fails(429, "POST", "/predict", good, binaryType))
	s.inMemory.Release(bodies * o.Body)
	c.says(http.StatusOK, nil, "POST", "/predict", good, binaryType)
}

// An output that is no number is an error that says so.
func TestNotFinite(t *testing.T) {
	m := points()
	dir := t.TempDir()
	o := defaults(t, Model{File: write(t, filepath.Join(dir, "p"), m)})
	s := newServer(t, o)
	for _, factor := range []float32{3e38} {
		m.Weights["corners.weight"] = tensor.New(tensor.WithShape(4, 48), tensor.WithBacking(filled(4*48, factor)))
		m.Preprocess.Scale = 1
		write(t, filepath.Join(dir, "p"), m)
		require.ErrorContains(t, s.Reload(t.Context()), "the network's output is infinite")
	}
	m.Weights["corners.bias"] = tensor.New(tensor.WithShape(4), tensor.WithBacking(filled(4, 1e38)))
	m.Weights["corners.weight"] = tensor.New(tensor.WithShape(4, 48), tensor.WithBacking(filled(4*48, 2e34)))
	write(t, filepath.Join(dir, "p"), m)
	require.NoError(t, s.Reload(t.Context()))
	white := image.NewGray(image.Rect(0, 0, 4, 4))
	for i := range white.Pix {
		white.Pix[i] = 255
	}
	c := clientOf(t, s)
	require.Equal(t, "the network's output is infinite", c.fails(500, "POST", "/predict", encoded(t, white), binaryType))
}

func filled(n int, v float32) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = v
	}
	return x
}

// A network of no pictures says so, and takes tensors all the same.
func TestNoPictures(t *testing.T) {
	m := points()
	m.Network.Inputs[0].Shape = []int{2, 6, 4}
	o := defaults(t, Model{File: write(t, filepath.Join(t.TempDir(), "p"), m)})
	c := clientOf(t, newServer(t, o))
	require.Contains(t, c.fails(400, "POST", "/predict", corner(t), binaryType), "takes images of the shape [2 6 4]")
	body := fmt.Sprintf(`{"inputs":[{"name":"picture","shape":[1,2,6,4],"datatype":"UINT8","data":[%s0]}]}`, strings.Repeat("0,", 47))
	c.says(http.StatusOK, nil, "POST", "/v2/models/model/infer", []byte(body))
}
