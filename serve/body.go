package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"strings"

	"github.com/hubel-go/hubel/internal/printable"
)

// picture is an encoded picture of a request.
type picture struct {
	name    string // of the file, as the client says
	encoded []byte
}

// hold takes memory for the body of a request, and bounds the body. The caller has to call
// drop after the answer.
func (s *Server) hold(w http.ResponseWriter, r *http.Request) (drop func(), err error) {
	bytes := r.ContentLength
	if bytes < 0 {
		bytes = s.o.Body // it does not say how long it is
	}
	if bytes > s.o.Body {
		return nil, &http.MaxBytesError{Limit: s.o.Body}
	}
	if !s.inMemory.TryAcquire(bytes) {
		return nil, errFull
	}
	r.Body = http.MaxBytesReader(w, r.Body, s.o.Body)
	return func() { s.inMemory.Release(bytes) }, nil
}

// readAll reads a body.
func readAll(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	return body, cutOff(err)
}

// cutOff is what an error of reading a body is to its client.
func cutOff(err error) error {
	switch {
	case err == nil, errors.As(err, new(*http.MaxBytesError)):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(http.StatusRequestTimeout, "the body of the request did not come in time")
	}
	return bad("the body of the request cannot be read: %v", err)
}

// readPictures reads the pictures of a request, of which there is at least one: the body is
// one, or holds several as multipart/form-data or in JSON.
func readPictures(r *http.Request, most int) ([]picture, error) {
	text := r.Header.Get("Content-Type")
	kind, params, err := mime.ParseMediaType(text)
	switch {
	case text == "", kind == "application/octet-stream", strings.HasPrefix(kind, "image/"):
		body, err := readAll(r)
		if err == nil && len(body) == 0 {
			err = bad("the body of the request is empty")
		}
		return []picture{{encoded: body}}, err
	case err == nil && kind == "multipart/form-data":
		return readParts(multipart.NewReader(r.Body, params["boundary"]), most)
	case kind == "application/json":
		body, err := readAll(r)
		if err != nil {
			return nil, err
		}
		return parsePictures(body, most)
	}
	return nil, refuse(http.StatusUnsupportedMediaType,
		"the Content-Type %s is not read: send a picture as image/jpeg or application/octet-stream, several as multipart/form-data or application/json", printable.Name(text))
}

// readParts reads every part that is a file.
func readParts(from *multipart.Reader, most int) (list []picture, err error) {
	for {
		part, err := from.NextPart()
		switch {
		case err == io.EOF && len(list) == 0:
			return nil, bad("there is no file in the form")
		case err == io.EOF:
			return list, nil
		case err != nil:
			return nil, cutOff(err)
		}
		if part.FileName() == "" { // another field of the form
			continue
		}
		if len(list) == most {
			return nil, tooMany(most)
		}
		encoded, err := io.ReadAll(part)
		if err != nil {
			return nil, cutOff(err)
		}
		list = append(list, picture{name: part.FileName(), encoded: encoded})
	}
}

// parsePictures reads {"pictures": ["base64", ...]}.
func parsePictures(body []byte, most int) ([]picture, error) {
	var in struct {
		Pictures json.RawMessage `json:"pictures"`
	}
	wrong := func(err error) error { return bad(`the body is not {"pictures": ["base64", ...]}: %v`, err) }
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, wrong(err)
	}
	if elements(in.Pictures, most) > most {
		return nil, tooMany(most)
	}
	var encoded [][]byte
	if in.Pictures != nil {
		if err := json.Unmarshal(in.Pictures, &encoded); err != nil {
			return nil, wrong(err)
		}
	}
	if len(encoded) == 0 {
		return nil, bad(`there are no "pictures" in the body`)
	}
	list := make([]picture, len(encoded))
	for i, e := range encoded {
		list[i].encoded = e
	}
	return list, nil
}

func tooMany(most int) error {
	return refuse(http.StatusRequestEntityTooLarge, "a request may have %d pictures", most)
}

// elements is how many elements a list in valid JSON has, or most+1 if there are more. An
// element of two bytes may take a hundred when it is decoded; so they are counted before.
func elements(list []byte, most int) int {
	n, depth, quoted := 0, 0, false
	for i := 0; i < len(list) && n <= most; i++ {
		c := list[i]
		if n == 0 && depth == 1 && c > ' ' && c != ']' {
			n = 1
		}
		switch {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case c == ',' && depth == 1:
			n++
		}
	}
	return n
}

// mostListed is how many inputs, outputs or dimensions a request may list.
const mostListed = 256

// few is a list in JSON that must be short.
type few[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (f *few[T]) UnmarshalJSON(text []byte) error {
	if elements(text, mostListed) > mostListed {
		return fmt.Errorf("a list has more than %d elements", mostListed)
	}
	return json.Unmarshal(text, (*[]T)(f))
}
