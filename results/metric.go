package results

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
)

// Metric is a result of a network besides its loss: the mean over samples of
// one of its values.
type Metric struct {
	Name  string
	Value float64

	// Share says that the number is a share of the samples, from 0 to 1, such as an
	// accuracy. It is not in the JSON.
	Share bool
}

// String is the name and the number, in percent if it is a share.
func (m Metric) String() string {
	if m.Share {
		return fmt.Sprintf("%s %.2f %%", m.Name, 100*m.Value)
	}
	return fmt.Sprintf("%s %.4f", m.Name, m.Value)
}

func (m Metric) isFinite() bool { return !math.IsNaN(m.Value) && !math.IsInf(m.Value, 0) }

// Metrics are the metrics of a network, in its order. In JSON they are an
// object.
type Metrics []Metric

// Get is the value of a metric by name.
func (m Metrics) Get(name string) (value float64, ok bool) {
	for _, x := range m {
		if x.Name == name {
			return x.Value, true
		}
	}
	return 0, false
}

// MarshalJSON keeps the order. It leaves out numbers that are not finite,
// because JSON has none.
func (m Metrics) MarshalJSON() ([]byte, error) {
	var w objectWriter
	for _, x := range m {
		if x.isFinite() {
			w.add(x.Name, x.Value)
		}
	}
	return w.end()
}

// UnmarshalJSON keeps the order.
func (m *Metrics) UnmarshalJSON(b []byte) error {
	*m = nil
	return readObject(b, func(key string, value json.RawMessage) error {
		x := Metric{Name: key}
		if err := json.Unmarshal(value, &x.Value); err != nil {
			return err
		}
		*m = append(*m, x)
		return nil
	})
}

// objectWriter writes an object in JSON key by key.
type objectWriter struct {
	b   bytes.Buffer
	err error // the first
}

func (w *objectWriter) add(key string, value any) {
	for i, part := range []any{key, value} {
		text, err := json.Marshal(part)
		if err != nil && w.err == nil {
			w.err = err
		}
		w.b.WriteByte([]byte{',', ':'}[i])
		w.b.Write(text)
	}
}

func (w *objectWriter) end() ([]byte, error) {
	text := append([]byte{'{'}, bytes.TrimPrefix(w.b.Bytes(), []byte{','})...)
	return append(text, '}'), w.err
}

// readObject reads an object in JSON key by key, in its order; null has none.
func readObject(b []byte, add func(key string, value json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if open, err := d.Token(); err != nil || open == nil {
		return err
	} else if open != json.Delim('{') {
		return fmt.Errorf("%.20s is no object in JSON", b)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if err := add(key.(string), value); err != nil {
			return err
		}
	}
	return nil
}
