package serve

import (
	"encoding/json"
	"errors"
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
		Pictures [][]byte `json:"pictures"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, bad(`the body is not {"pictures": ["base64", ...]}: %v`, err)
	}
	switch {
	case len(in.Pictures) == 0:
		return nil, bad(`there are no "pictures" in the body`)
	case len(in.Pictures) > most:
		return nil, tooMany(most)
	}
	list := make([]picture, len(in.Pictures))
	for i, encoded := range in.Pictures {
		list[i].encoded = encoded
	}
	return list, nil
}

func tooMany(most int) error {
	return refuse(http.StatusRequestEntityTooLarge, "a request may have %d pictures", most)
}
