package keras

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/hubel-go/hubel/internal/printable"
)

// options reads the options of a layer, and keeps the first error.
type options struct {
	config map[string]json.RawMessage
	used   map[string]bool
	err    error
}

// fail keeps an error.
func (o *options) fail(format string, args ...any) {
	if o.err == nil {
		o.err = fmt.Errorf(format, args...)
	}
}

// raw is an option, nil if there is none or it is null.
func (o *options) raw(key string) json.RawMessage {
	o.used[key] = true
	v := bytes.TrimSpace(o.config[key])
	if bytes.Equal(v, []byte("null")) {
		return nil
	}
	return v
}

// read reads an option into to, if there is one.
func (o *options) read(key, want string, to any) bool {
	v := o.raw(key)
	if len(v) == 0 {
		return false
	}
	if err := json.Unmarshal(v, to); err != nil {
		o.fail("%s is %.60s, and must be %s", key, v, want)
		return false
	}
	return true
}

// text is an option that is a word.
func (o *options) text(key, otherwise string) string {
	v := otherwise
	o.read(key, "a word", &v)
	return v
}

// yes is an option that is true or false.
func (o *options) yes(key string, otherwise bool) bool {
	v := otherwise
	o.read(key, "true or false", &v)
	return v
}

// integer is an option from least to most. There is no such option that has no default, if
// otherwise is not in this range.
func (o *options) integer(key string, otherwise, least, most int) int {
	v := float64(otherwise)
	o.read(key, "a whole number", &v)
	if v != math.Trunc(v) || v < float64(least) || v > float64(most) {
		o.fail("%s is %v, and must be a whole number from %d to %d", key, v, least, most)
		return least
	}
	return int(v)
}

// number is an option that may have a fraction. It may stand in an array of one, as NumPy's
// numbers do.
func (o *options) number(key string, otherwise float64) float64 {
	x := o.numbers(key)
	if len(x) == 0 {
		return otherwise
	}
	if len(x) > 1 {
		o.fail("%s has %d numbers, and must be one", key, len(x))
		return otherwise
	}
	return x[0]
}

// numbers is an option of one number or a list, which lists may surround. It is nil if it is
// not given.
func (o *options) numbers(key string) []float64 {
	raw := o.raw(key)
	if len(raw) == 0 {
		return nil
	}
	var array struct {
		Class  string `json:"class_name"`
		Config struct {
			Value json.RawMessage `json:"value"`
		} `json:"config"`
		Type  string          `json:"type"`
		Value json.RawMessage `json:"value"`
	}
	switch err := json.Unmarshal(raw, &array); {
	case err != nil:
	case array.Config.Value != nil: // __numpy__ and __tensor__
		raw = array.Config.Value
	case array.Type == "ndarray" && array.Value != nil: // until Keras 2.3
		raw = array.Value
	}
	var list []float64
	var walk func(raw json.RawMessage, depth int) bool
	walk = func(raw json.RawMessage, depth int) bool {
		var x float64
		if json.Unmarshal(raw, &x) == nil {
			list = append(list, x)
			return float64(float32(x))-float64(float32(x)) == 0 // finite
		}
		var inner []json.RawMessage
		if depth == mostDims || json.Unmarshal(raw, &inner) != nil {
			return false
		}
		for _, raw := range inner {
			if !walk(raw, depth+1) {
				return false
			}
		}
		return true
	}
	if !walk(raw, 0) {
		o.fail("%s is %.60s, and must be numbers", key, raw)
		return nil
	}
	return list
}

// sizes is an option of n whole numbers of at least least, or of one for all.
func (o *options) sizes(key string, n, otherwise, least int) []int {
	list := make([]int, n)
	x := o.numbers(key)
	if x == nil {
		x = []float64{float64(otherwise)}
	}
	if len(x) != n && len(x) != 1 {
		o.fail("%s has %d numbers, want %d", key, len(x), n)
		return list
	}
	for i := range list {
		v := x[i%len(x)]
		if v != math.Trunc(v) || v < float64(least) || v > largestSize {
			o.fail("%s is %v, and must be whole numbers from %d to %d", key, x, least, largestSize)
			return list
		}
		list[i] = int(v)
	}
	return list
}

// integers is an option of whole numbers, one or a list.
func (o *options) integers(key string) []int {
	var list []int
	for _, v := range o.numbers(key) {
		if v != math.Trunc(v) || math.Abs(v) > math.MaxInt32 {
			o.fail("%s has %v, which is no whole number", key, v)
			return nil
		}
		list = append(list, int(v))
	}
	return list
}

// needless are options that say nothing of what a network computes, beside those whose names
// end in _initializer: how weights begin, and what they are called.
var needless = map[string]bool{
	"name": true, "trainable": true, "dtype": true, "batch_input_shape": true, "batch_shape": true, "input_dtype": true,
	"sparse": true, "ragged": true, "optional": true, "seed": true, "shape": true, "input_shape": true,
	"implementation": true, "fused": true, "synchronized": true, "renorm_clipping": true, "renorm_momentum": true,
	"data_format": true, // which findFormat reads
}

// lost lists what options that nothing has read say: of training alone, or not known.
func (o *options) lost() (training, unknown []string) {
	for _, key := range sortedKeys(o.config) {
		if o.used[key] {
			continue
		}
		value := string(o.raw(key))
		switch {
		case value == "", value == "false", value == "{}":
		case strings.HasSuffix(key, "_regularizer"), strings.HasSuffix(key, "_constraint"):
			training = append(training, key+" "+className([]byte(value)))
		case needless[key], strings.HasSuffix(key, "_initializer"):
		default:
			unknown = append(unknown, printable.Name(fmt.Sprintf("%.60s", key))+"="+printable.Name(fmt.Sprintf("%.60s", value)))
		}
	}
	return training, unknown
}

// className is the class of an object, or the object if it has none.
func className(raw []byte) string {
	var o object
	if json.Unmarshal(raw, &o) == nil && o.Class != "" {
		return printable.Name(fmt.Sprintf("%.60s", strings.TrimPrefix(o.Class, "Custom>")))
	}
	return printable.Name(fmt.Sprintf("%.60s", raw))
}
