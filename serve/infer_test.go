package serve

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/predict"
)

const inferPath = "/v2/models/small/infer"

// inferAnswer is an answer of the protocol.
type inferAnswer struct {
	Model   string `json:"model_name"`
	ID      string `json:"id"`
	Outputs []struct {
		Name, Datatype string
		Shape          []int
		Data           []float32
		Parameters     map[string]int
	}
}

// pixelsOf are three samples of 30 pixels, each a byte.
func pixelsOf(seed int) []byte {
	x := make([]byte, 90)
	for i := range x {
		x[i] = byte(i*seed*7 + seed)
	}
	return x
}

// nestedText writes values as lists of lists of a shape.
func nestedText(text []string, shape ...int) string {
	if len(shape) == 1 {
		return "[ " + strings.Join(text, " ,\n") + "]"
	}
	var parts []string
	each := len(text) / shape[0]
	for i := range shape[0] {
		parts = append(parts, nestedText(text[i*each:(i+1)*each], shape[1:]...))
	}
	return "[" + strings.Join(parts, ", ") + " ]"
}

// Metadata say what infer takes and gives.
func TestModelMetadata(t *testing.T) {
	o := defaults(t)
	o.Features = []string{"fc1"}
	w := clientOf(t, newServer(t, o)).says(http.StatusOK, nil, "GET", "/v2/models/small", nil)
	require.JSONEq(t, `{"name":"small","platform":"hubel","inputs":[{"name":"data","datatype":"FP32","shape":[-1,1,6,5]}],
		"outputs":[{"name":"prob","datatype":"FP32","shape":[-1,4]},{"name":"fc1","datatype":"FP32","shape":[-1,7]}]}`, w.Body.String())
}

// Tensors are predicted as by the Predictor, in every datatype and form.
func TestInfer(t *testing.T) {
	o := defaults(t)
	o.Features = []string{"fc1"}
	c, p := clientOf(t, newServer(t, o)), alone(t, o, o.Models[0].File)

	pixels := pixelsOf(3)
	raw := make([]float32, 90)
	var pixelTexts, floatTexts []string
	for i, v := range pixels {
		raw[i] = float32(v)
		pixelTexts = append(pixelTexts, strconv.Itoa(int(v)))
	}
	ofPixels, err := p.Predict(t.Context(), raw)
	require.NoError(t, err)
	prepared := make([]float32, 90)
	var floatBytes []byte
	for i := range prepared {
		prepared[i] = float32(i%13)/3 - 2
		floatTexts = append(floatTexts, strconv.FormatFloat(float64(prepared[i]), 'g', -1, 32))
		floatBytes = binary.LittleEndian.AppendUint32(floatBytes, math.Float32bits(prepared[i]))
	}
	ofFloats, err := p.Run(t.Context(), [][]float32{prepared[:30], prepared[30:60], prepared[60:]})
	require.NoError(t, err)
	var encodedBytes []byte
	var encodedTexts []string
	var ofPictures []predict.Prediction
	for i := range 3 {
		picture := painted(t, i)
		encodedBytes = append(binary.LittleEndian.AppendUint32(encodedBytes, uint32(len(picture))), picture...)
		encodedTexts = append(encodedTexts, strconv.Quote(base64.StdEncoding.EncodeToString(picture)))
		y, err := p.Picture(t.Context(), picture)
		require.NoError(t, err)
		ofPictures = append(ofPictures, y)
	}

	for _, x := range []struct {
		datatype, shape string
		data            string
		binary          []byte
		want            []predict.Prediction
	}{
		{"FP32", "[3,1,6,5]", nestedText(floatTexts, 90), nil, ofFloats},
		{"FP32", "[3,1,6,5]", nestedText(floatTexts, 3, 1, 6, 5), nil, ofFloats},
		{"FP32", "[1,1,6,5]", nestedText(floatTexts[:30], 1, 1, 6, 5), nil, ofFloats[:1]},
		{"FP32", "[3,1,6,5]", "", floatBytes, ofFloats},
		{"UINT8", "[3,1,6,5]", nestedText(pixelTexts, 90), nil, ofPixels},
		{"UINT8", "[3,1,6,5]", nestedText(pixelTexts, 3, 1, 6, 5), nil, ofPixels},
		{"UINT8", "[3,1,6,5]", "", pixels, ofPixels},
		{"BYTES", "[3]", nestedText(encodedTexts, 3), nil, ofPictures},
		{"BYTES", "[3]", "", encodedBytes, ofPictures},
	} {
		input := fmt.Sprintf(`{"name":"data","datatype":%q,"shape":%s,"data":%s}`, x.datatype, x.shape, x.data)
		if x.binary != nil {
			input = fmt.Sprintf(`{"name":"data","datatype":%q,"shape":%s,"parameters":{"binary_data_size":%d}}`, x.datatype, x.shape, len(x.binary))
		}
		for _, outputs := range []string{"", `,"outputs":[{"name":"fc1"},{"name":"prob","parameters":{"binary_data":false}}]`} {
			head := fmt.Sprintf(`{"id":"<7>","inputs":[%s]%s}`, input, outputs)
			var headers []string
			if x.binary != nil {
				headers = []string{lengthHeader + ": " + strconv.Itoa(len(head))}
			}
			var got inferAnswer
			c.says(http.StatusOK, &got, "POST", inferPath, append([]byte(head), x.binary...), headers...)
			require.Equal(t, "small", got.Model)
			require.Equal(t, "<7>", got.ID)
			var prob, fc1 []float32
			for _, y := range x.want {
				prob, fc1 = append(prob, y.Output...), append(fc1, y.Features[0]...)
			}
			last := got.Outputs[len(got.Outputs)-1]
			require.Equal(t, "prob", last.Name)
			require.Equal(t, "FP32", last.Datatype)
			require.Equal(t, []int{len(x.want), 4}, last.Shape)
			require.Equal(t, prob, last.Data)
			if outputs != "" {
				require.Equal(t, "fc1", got.Outputs[0].Name)
				require.Equal(t, []int{len(x.want), 7}, got.Outputs[0].Shape)
				require.Equal(t, fc1, got.Outputs[0].Data)
			}
		}
	}

	// Outputs in binary follow the JSON, in order.
	for _, asks := range []string{
		`"parameters":{"binary_data_output":true},"outputs":[{"name":"prob"},{"name":"fc1"}]`,
		`"outputs":[{"name":"prob","parameters":{"binary_data":true}},{"name":"fc1","parameters":{"binary_data":true}}]`,
	} {
		body := fmt.Sprintf(`{"inputs":[{"name":"data","datatype":"FP32","shape":[3,1,6,5],"data":%s}],%s}`, nestedText(floatTexts, 90), asks)
		w := c.ask("POST", inferPath, []byte(body))
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		require.Equal(t, "application/octet-stream", w.Header().Get("Content-Type"))
		n, err := strconv.Atoi(w.Header().Get(lengthHeader))
		require.NoError(t, err)
		var got inferAnswer
		require.NoError(t, json.Unmarshal(w.Body.Bytes()[:n], &got))
		tail := w.Body.Bytes()[n:]
		require.Len(t, tail, 4*3*(4+7))
		for k, each := range []int{4, 7} {
			require.Equal(t, map[string]int{"binary_data_size": 4 * 3 * each}, got.Outputs[k].Parameters)
			require.Nil(t, got.Outputs[k].Data)
			for _, y := range ofFloats {
				for _, v := range [][]float32{y.Output, y.Features[0]}[k] {
					require.Equal(t, math.Float32bits(v), binary.LittleEndian.Uint32(tail))
					tail = tail[4:]
				}
			}
		}
	}
}

// Whatever is wrong with tensors, the answer says so.
func TestInferRefusals(t *testing.T) {
	o := defaults(t)
	o.Features = []string{"fc1"}
	c := clientOf(t, newServer(t, o))
	thirty := "[" + strings.Repeat("1,", 29) + "1]"
	input := func(shape, datatype, data string) string {
		return fmt.Sprintf(`{"inputs":[{"name":"data","shape":%s,"datatype":%q,"data":%s}]}`, shape, datatype, data)
	}
	binaryInput := func(shape, datatype string, size int) string {
		return fmt.Sprintf(`{"inputs":[{"name":"data","shape":%s,"datatype":%q,"parameters":{"binary_data_size":%d}}]}`, shape, datatype, size)
	}
	outputs := func(text string) string {
		return strings.TrimSuffix(input("[1,1,6,5]", "FP32", thirty), "}") + `,"outputs":` + text + "}"
	}
	deep := strings.Repeat("[", 5) + strings.Repeat("]", 5)
	for _, x := range []struct {
		head, says string
		tail       []byte
	}{
		{"", "the request is not JSON of the protocol: unexpected end of JSON input", nil},
		{"[]", "the request is not JSON of the protocol: json: cannot unmarshal array", nil},
		{"{} x", "the request is not JSON of the protocol: invalid character 'x' after top-level value", nil},
		{"{}", "the network takes one input, data", nil},
		{`{"inputs":[{"name":"x"}]}`, "the network takes one input, data", nil},
		{`{"inputs":[{"name":"data"},{"name":"data"}]}`, "the network takes one input, data", nil},
		{`{"inputs":[{"name":"data"}]}`, "input data has no data", nil},
		{input("[1,1,6,5]", "FP32", "null"), "input data: it is not a list of numbers as its shape says", nil},
		{input("[1,1,6,6]", "FP32", thirty), "input data has the shape [1 1 6 6]; the network takes [-1 1 6 5] of FP32", nil},
		{input("[30]", "FP32", thirty), "input data has the shape [30]; the network takes [-1 1 6 5] of FP32", nil},
		{input("[1,1,6,5]", "BYTES", `["x"]`), "input data has the shape [1 1 6 5]; the network takes [-1] of BYTES", nil},
		{input("[0,1,6,5]", "FP32", "[]"), "input data has the shape [0 1 6 5], without a sample", nil},
		{input("[-1,1,6,5]", "FP32", thirty), "without a sample", nil},
		{input("[1,1,6,5]", "FP64", thirty), "input data is of FP64; FP32, UINT8 and BYTES are read", nil},
		{input("[1,1,6,5]", "FP32", "[1,2]"), "input data: it has 2 numbers, and its shape has more", nil},
		{input("[1,1,6,5]", "FP32", "[]"), "input data: it has 0 numbers, and its shape has more", nil},
		{input("[1,1,6,5]", "FP32", thirty[:60]+",1,1]"), "input data: it has more numbers than its shape", nil},
		{input("[1,1,6,5]", "FP32", "1"), "input data: it is not a list of numbers as its shape says", nil},
		{input("[1,1,6,5]", "FP32", `"x"`), "input data: it is not a list of numbers as its shape says", nil},
		{input("[1,1,6,5]", "FP32", "{}"), "input data: it is not a list of numbers as its shape says", nil},
		{input("[1,1,6,5]", "FP32", deep), "input data: its lists are deeper than its shape", nil},
		{input("[1,1,6,5]", "FP32", "[[1,2,3]]"), "input data: it is not a list of numbers as its shape says", nil},
		{input("[1,1,6,5]", "FP32", "[[[[1,2,3]]]]"), "input data: its lists are not as long as its shape says", nil},
		{input("[1,1,6,5]", "FP32", "[1,[2]]"), "input data: its lists are deeper than its shape", nil},
		{input("[1,1,6,5]", "FP32", "[[[[1,2,3,4,[5]]]]]"), "input data: its lists are deeper than its shape", nil},
		{input("[1,1,6,5]", "FP32", `["a, b]"]`), `input data: "a is no number of FP32`, nil},
		{input("[1,1,6,5]", "FP32", `[true]`), "input data: true is no number of FP32", nil},
		{input("[1,1,6,5]", "FP32", `[null]`), "input data: null is no number of FP32", nil},
		{input("[1,1,6,5]", "FP32", `[1e39]`), "input data: 1e39 is no number of FP32", nil},
		{input("[1,1,6,5]", "UINT8", `[256]`), "input data: 256 is no number of UINT8", nil},
		{input("[1,1,6,5]", "UINT8", `[1.5]`), "input data: 1.5 is no number of UINT8", nil},
		{input("[1]", "BYTES", `["?"]`), "input data is not 1 pictures in base64", nil},
		{input("[2]", "BYTES", `["aGVsbG8="]`), "input data is not 2 pictures in base64", nil},
		{input("[2]", "BYTES", `["aGVsbG8=","aGVsbG8="]`), ": it is not a JPEG, PNG, GIF, BMP, TIFF or WebP; it looks like text/plain; charset=utf-8", nil},
		{outputs(`[{"name":"fc9"}]`), "there is no output fc9; there is prob, fc1", nil},
		{outputs(`[{"name":"fc1"},{"name":"fc1"}]`), "the output fc1 is asked for twice", nil},
		{outputs(`[{"name":"prob","parameters":{"classification":3}}]`), "the extension classification is not there", nil},
		{input("[1,1,6,5]", "FP32", thirty), "1 bytes at the end of the body belong to no input", []byte{1}},
		{binaryInput("[1,1,6,5]", "FP32", 120), "input data has 120 bytes, but 119 are left in the body", make([]byte, 119)},
		{binaryInput("[1,1,6,5]", "FP32", -1), "input data has -1 bytes, but 0 are left in the body", nil},
		{binaryInput("[1,1,6,5]", "FP32", 119), "input data has 119 bytes; the shape [1 1 6 5] takes 4 for each of its elements", make([]byte, 119)},
		{binaryInput("[1,1,6,5]", "FP32", 124), "input data has 124 bytes; the shape [1 1 6 5] takes 4 for each of its elements", make([]byte, 124)},
		{binaryInput("[1,1,6,5]", "FP32", 120), "input data: not all of its values are finite", bytes.Repeat([]byte{0xff}, 120)},
		{binaryInput("[1,1,6,5]", "UINT8", 29), "input data has 29 bytes; the shape [1 1 6 5] takes 1 for each of its elements", make([]byte, 29)},
		{binaryInput("[1]", "BYTES", 6), "input data is not 1 pictures, each after its length in 4 bytes", []byte{3, 0, 0, 0, 1, 1}},
		{binaryInput("[1]", "BYTES", 4), "input data is not 1 pictures, each after its length in 4 bytes", []byte{255, 255, 255, 255}},
		{binaryInput("[2]", "BYTES", 4), "input data is not 2 pictures, each after its length in 4 bytes", []byte{0, 0, 0, 0}},
		{`{"inputs":[{"name":"data","data":[1],"parameters":{"binary_data_size":0}}]}`, "input data has data in JSON and in binary", nil},
	} {
		for _, header := range []string{strconv.Itoa(len(x.head)), ""} {
			if header == "" && x.tail != nil {
				continue
			}
			require.Contains(t, c.fails(400, "POST", inferPath, append([]byte(x.head), x.tail...), lengthHeader+": "+header), x.says, x.head)
		}
	}
	for _, header := range []string{"-1", "x", "3", "9999999999999999999999"} {
		require.Contains(t, c.fails(400, "POST", inferPath, []byte("{}"), lengthHeader+": "+header), "is no part of the body's 2 bytes")
	}
	require.Equal(t, "a request may have 16 pictures", c.fails(413, "POST", inferPath, []byte(input("[17,1,6,5]", "FP32", "[]"))))
	require.Equal(t, "a request may have 16 pictures", c.fails(413, "POST", inferPath, []byte(input("[9223372036854775807,1,6,5]", "FP32", "[]"))))
	require.Equal(t, "there is no model x; there is small", c.fails(404, "POST", "/v2/models/x/infer", nil))
	require.Equal(t, "there is no model x; there is small", c.fails(404, "GET", "/v2/models/x", nil))
}

// FuzzInfer reads any body in both forms that requests have. What is accepted has the size
// that it says.
func FuzzInfer(f *testing.F) {
	o := defaults(f)
	p := alone(f, o, o.Models[0].File)
	thirty := `"data":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,3e1]`
	f.Add([]byte(`{"inputs":[{"name":"data","shape":[1,1,6,5],"datatype":"FP32",`+thirty+`}]}`), "")
	f.Add([]byte(`{"inputs":[{"name":"data","shape":[1,1,2,2],"datatype":"UINT8","data":[[[[1,2],[3,4]]]]}]}`), "")
	f.Add([]byte(`{"inputs":[{"name":"data","shape":[1],"datatype":"BYTES","data":["aGVsbG8="]}]}`), "")
	head := `{"inputs":[{"name":"data","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":10}}],"outputs":[{"name":"prob"}]}`
	f.Add([]byte(head+"\x01\x00\x00\x00a\x01\x00\x00\x00b"), strconv.Itoa(len(head)))
	f.Add([]byte(`{"pictures":["aGVsbG8="]}`), "2")
	f.Fuzz(func(t *testing.T, body []byte, header string) {
		if list, err := parsePictures(body, 3); err == nil {
			require.True(t, len(list) >= 1 && len(list) <= 3)
		}
		r, err := parseInfer(body, header)
		if err != nil {
			require.ErrorAs(t, err, new(*refusal))
			return
		}
		if _, err := r.asks(p); err != nil {
			require.ErrorAs(t, err, new(*refusal))
		}
		in, err := r.input(p, 3)
		if err != nil {
			require.ErrorAs(t, err, new(*refusal))
			return
		}
		require.True(t, in.count >= 1 && in.count <= 3)
		if in.encoded != nil {
			require.Len(t, in.encoded, in.count)
			return
		}
		for i := range in.count {
			require.Len(t, in.sample(p, i), 30)
		}
	})
}
