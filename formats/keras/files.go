package keras

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hubel-go/hubel/formats/hdf5"
	"github.com/hubel-go/hubel/internal/plain"
)

// The files in an archive.
const (
	metadataEntry = "metadata.json"
	configEntry   = "config.json"
	weightsEntry  = "model.weights.h5"
)

// largestConfig bounds descriptions, in bytes. Those of the largest published networks have
// about two million.
const largestConfig = 16 << 20

// descriptionKind is what Model.Format says of a model that is in two files.
const descriptionKind = "Keras, description"

// source is the files of a model.
type source struct {
	config     []byte // JSON of the model; nil if there are weights alone
	configPath string
	version    string // of Keras, empty if the files do not say
	backend    string
	training   []byte // JSON of what it was trained with, or nil
	kind       string // what Model.Format says

	weights *weights // nil if there are none
	closers []io.Closer
}

func (s *source) close() {
	for _, c := range s.closers {
		c.Close()
	}
}

// open opens files of which at most one describes the network and one has weights.
func open(paths []string) (s *source, err error) {
	s = &source{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	weightsPath := ""
	var of [2]string // the files that are there already, of description and of weights
	taken := func(i int, path, what string) error {
		if of[i] != "" {
			return fmt.Errorf("%s and %s both have %s: convert takes the files of one network", of[i], path, what)
		}
		of[i] = path
		return nil
	}
	for _, path := range paths {
		kind, err := kindOfFile(path)
		if err != nil {
			return s, err
		}
		if kind == description || kind == archive {
			if err := taken(0, path, "a network"); err != nil {
				return s, err
			}
		}
		if kind == hdf5File || kind == archive {
			if err := taken(1, path, "weights"); err != nil {
				return s, err
			}
		}
		switch kind {
		case description:
			err = s.openDescription(path)
		case archive:
			err = s.openArchive(path)
		case hdf5File:
			weightsPath = path
		default:
			err = fmt.Errorf("%s: it is no file of Keras: .h5, .keras and .json are", path)
		}
		if err != nil {
			return s, err
		}
	}
	if weightsPath != "" {
		err = s.openHDF5(weightsPath)
	}
	return s, err
}

func kindOfFile(path string) (fileKind, error) {
	f, err := os.Open(path)
	if err != nil {
		return otherFile, err
	}
	defer f.Close()
	head := make([]byte, 4096)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return otherFile, err
	}
	return kindOf(head[:n]), nil
}

// openDescription reads what Model.to_json writes.
func (s *source) openDescription(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() > largestConfig {
		return fmt.Errorf("%s: a description of %d bytes is too large: at most %d are read", path, info.Size(), largestConfig)
	}
	s.configPath, s.kind = path, descriptionKind
	s.config, err = plain.ReadFile(path)
	return err
}

// openHDF5 opens a file of weights, which may have a model too.
func (s *source) openHDF5(path string) error {
	f, err := hdf5.Open(path)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, f)
	root, err := f.Root()
	if err != nil {
		return err
	}
	config, err := text(root, "model_config")
	if err != nil {
		return err
	}
	if len(config) > largestConfig {
		return fmt.Errorf("%s: a description of %d bytes is too large: at most %d are read", path, len(config), largestConfig)
	}
	training, err := text(root, "training_config")
	if err != nil {
		return err
	}
	if training != "" {
		s.training = []byte(training)
	}
	inside := root
	if config != "" || has(root, "model_weights") {
		if s.config == nil && config != "" {
			s.config, s.configPath, s.kind = []byte(config), path, "Keras, HDF5"
		}
		if !has(root, "model_weights") {
			return nil
		}
		if inside, err = root.Group("model_weights"); err != nil {
			return err
		}
	}
	for key, to := range map[string]*string{"keras_version": &s.version, "backend": &s.backend} {
		for _, g := range []*hdf5.Group{root, inside} {
			if *to == "" {
				if *to, err = text(g, key); err != nil {
					return err
				}
			}
		}
	}
	if s.kind == "" {
		s.kind = "Keras, weights in HDF5"
	}
	size, err := os.Stat(path)
	if err != nil {
		return err
	}
	if s.weights, err = newWeights(path, inside, size.Size()); err == nil {
		s.weights.theano = s.backend == "theano"
	}
	return err
}

// has reports whether a group has something of the name.
func has(g *hdf5.Group, name string) bool {
	for _, n := range g.Names() {
		if n == name {
			return true
		}
	}
	return false
}

// text is an attribute that is one text, or nothing.
func text(n hdf5.Node, name string) (string, error) {
	a, err := n.Attribute(name)
	if err != nil || a == nil {
		return "", err
	}
	return a.Text()
}

// openArchive opens what Model.save writes as .keras. Its files are stored as they are, or
// compressed if somebody has packed them again.
func (s *source) openArchive(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, f)
	info, err := f.Stat()
	if err == nil {
		err = s.readArchive(path, f, info.Size())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (s *source) readArchive(path string, f io.ReaderAt, size int64) error {
	z, err := zip.NewReader(f, size)
	if err != nil {
		return fmt.Errorf("the zip archive: %w: the file is truncated or damaged", err)
	}
	entries := map[string]*zip.File{}
	for _, e := range z.File {
		if entries[e.Name] != nil {
			return fmt.Errorf("the zip archive has the entry %.200q twice", e.Name)
		}
		entries[e.Name] = e
	}
	config := entries[configEntry]
	if config == nil {
		return fmt.Errorf("the zip archive has no %s: it is no model of Keras", configEntry)
	}
	if s.config, err = entry(config, largestConfig); err != nil {
		return err
	}
	s.configPath, s.kind = path, "Keras, archive"
	if e := entries[metadataEntry]; e != nil {
		b, err := entry(e, largestConfig)
		if err != nil {
			return err
		}
		var metadata struct {
			Version string `json:"keras_version"`
		}
		if err := json.Unmarshal(b, &metadata); err != nil {
			return fmt.Errorf("%s: %w", metadataEntry, err)
		}
		s.version = metadata.Version
	}
	e := entries[weightsEntry]
	if e == nil {
		return fmt.Errorf("the zip archive has no %s: weights in other files are not read; save the model again, with its weights in one", weightsEntry)
	}
	inside, err := within(f, e, size)
	if err != nil {
		return err
	}
	h, err := hdf5.Read(path+": "+weightsEntry, inside, int64(e.UncompressedSize64))
	if err != nil {
		return err
	}
	root, err := h.Root()
	if err != nil {
		return err
	}
	s.weights, err = newWeights(path, root, int64(e.UncompressedSize64))
	return err
}

// within is an entry as a file. One that is stored as it is stays where it is, and its
// checksum is compared. One that is compressed is unpacked, if it is no larger than room
// allows.
func within(f io.ReaderAt, e *zip.File, size int64) (io.ReaderAt, error) {
	if e.Method != zip.Store {
		b, err := entry(e, room(size))
		return bytes.NewReader(b), err
	}
	at, err := e.DataOffset()
	if err != nil {
		return nil, fmt.Errorf("entry %.200q: %w", e.Name, err)
	}
	if e.UncompressedSize64 != e.CompressedSize64 || e.UncompressedSize64 > uint64(max(size-at, 0)) {
		return nil, fmt.Errorf("entry %.200q has %d bytes at byte %d of a file of %d: the file is truncated", e.Name, e.UncompressedSize64, at, size)
	}
	r, err := e.Open()
	if err != nil {
		return nil, fmt.Errorf("entry %.200q: %w", e.Name, err)
	}
	defer r.Close()
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, unpacked(e, err)
	}
	return io.NewSectionReader(f, at, int64(e.UncompressedSize64)), nil
}

// room is how many bytes may be made of a file of a size: far more than its weights are,
// compressed or not.
func room(size int64) int64 { return 64<<20 + 20*size }

// entry unpacks an entry of at most so many bytes, and compares its checksum.
func entry(e *zip.File, most int64) ([]byte, error) {
	if e.UncompressedSize64 > uint64(most) {
		return nil, fmt.Errorf("entry %.200q has %d bytes: at most %d are read: the file is damaged, or made to exhaust memory", e.Name, e.UncompressedSize64, most)
	}
	r, err := e.Open()
	if err != nil {
		return nil, fmt.Errorf("entry %.200q: %w", e.Name, err)
	}
	defer r.Close()
	var b bytes.Buffer // grows with what is there
	if _, err := io.Copy(&b, io.LimitReader(r, most+1)); err != nil {
		return nil, unpacked(e, err)
	}
	if int64(b.Len()) > most {
		return nil, fmt.Errorf("entry %.200q has more than %d bytes", e.Name, most)
	}
	return b.Bytes(), nil
}

// unpacked is the error of an entry that cannot be unpacked.
func unpacked(e *zip.File, err error) error {
	if errors.Is(err, zip.ErrChecksum) {
		return fmt.Errorf("entry %.200q: its checksum does not match: the file is damaged", e.Name)
	}
	return fmt.Errorf("entry %.200q: %w", e.Name, err)
}
