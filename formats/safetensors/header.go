package safetensors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"
)

// parseHeader reads a header's JSON and checks that its tensors fill the
// dataSize bytes of data exactly. The tensors come in the order of their
// data.
func parseHeader(h []byte, dataSize int64) ([]Info, map[string]string, error) {
	if !utf8.Valid(h) {
		return nil, nil, errors.New("the header is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(h))
	d.UseNumber()
	var infos []Info
	metadata := map[string]string{}
	err := object(d, func(name string) (err error) {
		if name == metadataKey {
			metadata, err = parseMetadata(d)
			if err != nil {
				return fmt.Errorf("%s: %w", metadataKey, err)
			}
			return nil
		}
		info, err := parseInfo(d)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		info.Name = name
		infos = append(infos, info)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, nil, errors.New("the header goes on after its end")
	}
	if err := checkLayout(infos, dataSize); err != nil {
		return nil, nil, err
	}
	return infos, metadata, nil
}

// checkLayout sorts the tensors by their data and checks that each has as much
// as its shape says, that there are no holes and no overlaps, and that nothing
// is left over.
func checkLayout(infos []Info, dataSize int64) error {
	slices.SortStableFunc(infos, func(a, b Info) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(a.size, b.size))
	})
	end := int64(0)
	for _, t := range infos {
		if t.offset != end {
			return fmt.Errorf("tensor %q starts at byte %d of the data, not at %d where the one before it ends",
				t.Name, t.offset, end)
		}
		end += t.size
		if end > dataSize {
			return fmt.Errorf("tensor %q ends at byte %d of the data, but there are only %d: the file is truncated",
				t.Name, end, dataSize)
		}
		n, err := elements(t.Shape)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		if size, ok := sizes[t.DType]; ok && (t.size%size != 0 || t.size/size != n) {
			return fmt.Errorf("tensor %q has %d bytes, which is not %s of shape %v", t.Name, t.size, t.DType, t.Shape)
		}
	}
	if end != dataSize {
		return fmt.Errorf("the tensors end at byte %d of the data, but there are %d", end, dataSize)
	}
	return nil
}

// object calls member for each key of a JSON object; member consumes the
// value. A key that is there twice is an error. (A struct or map would take
// the last value in silence, and a struct ignores the case of keys.)
func object(d *json.Decoder, member func(key string) error) error {
	if err := delim(d, '{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return syntax(err)
		}
		key := t.(string) // the decoder lets nothing else be a key
		if seen[key] {
			return fmt.Errorf("%q is there twice", key)
		}
		seen[key] = true
		if err := member(key); err != nil {
			return err
		}
	}
	return delim(d, '}')
}

func parseMetadata(d *json.Decoder) (map[string]string, error) {
	m := map[string]string{}
	err := object(d, func(key string) error {
		t, err := d.Token()
		if err != nil {
			return syntax(err)
		}
		s, ok := t.(string)
		if !ok {
			return fmt.Errorf("%q is not a string", key)
		}
		m[key] = s
		return nil
	})
	return m, err
}

// parseInfo reads the description of a tensor, all but its name. Members it
// does not know are skipped, as the reference implementation does.
func parseInfo(d *json.Decoder) (Info, error) {
	var info Info
	var offsets []int64
	have := 0
	err := object(d, func(key string) (err error) {
		switch key {
		case "dtype":
			have++
			t, err := d.Token()
			if err != nil {
				return syntax(err)
			}
			s, ok := t.(string)
			if !ok {
				return errors.New("dtype is not a string")
			}
			info.DType = DType(s)
			return nil
		case "shape":
			have++
			shape, err := numbers(d)
			if err != nil {
				return fmt.Errorf("shape: %w", err)
			}
			info.Shape = make([]int, len(shape))
			for i, n := range shape {
				info.Shape[i] = int(n)
				if int64(info.Shape[i]) != n { // where int has 32 bits
					return fmt.Errorf("shape: %d is too large", n)
				}
			}
			return nil
		case "data_offsets":
			have++
			if offsets, err = numbers(d); err != nil {
				return fmt.Errorf("data_offsets: %w", err)
			}
			return nil
		}
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return syntax(err)
		}
		return nil
	})
	if err != nil {
		return Info{}, err
	}
	if have != 3 {
		return Info{}, errors.New("dtype, shape or data_offsets is missing")
	}
	if len(offsets) != 2 || offsets[0] > offsets[1] {
		return Info{}, fmt.Errorf("data_offsets %v are not a begin and an end", offsets)
	}
	info.offset, info.size = offsets[0], offsets[1]-offsets[0]
	return info, nil
}

// numbers reads an array of integers that are not negative.
func numbers(d *json.Decoder) ([]int64, error) {
	if err := delim(d, '['); err != nil {
		return nil, err
	}
	list := []int64{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, syntax(err)
		}
		n, ok := t.(json.Number)
		if !ok {
			return nil, fmt.Errorf("%v is not a number", t)
		}
		v, err := strconv.ParseInt(n.String(), 10, 64)
		if err != nil || v < 0 {
			return nil, fmt.Errorf("%s is not an integer in [0, 2^63)", n)
		}
		list = append(list, v)
	}
	return list, delim(d, ']')
}

func delim(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if err != nil {
		return syntax(err)
	}
	if t != want {
		return fmt.Errorf("the header has %v where %v belongs", t, want)
	}
	return nil
}

func syntax(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("the header is not JSON: %w", err)
}
