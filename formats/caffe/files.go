package caffe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/hubel-go/hubel/formats/hdf5"
)

// fileKind is what a file of Caffe's holds.
type fileKind uint8

const (
	otherFile   fileKind = iota
	netText              // a network or a solver
	weightsFile          // a caffemodel
	meanFile             // a binaryproto
	stateFile            // a solverstate
	weightsHDF5          // a caffemodel in HDF5
	stateHDF5            // a solverstate in HDF5
)

// Is reports whether a file is one of Caffe's: a text that begins as networks and solvers do,
// or a binary file of theirs.
func Is(head []byte, name string) bool { return kindOf(head, name) != otherFile }

// isState reports whether a file is the state of a solver.
func isState(head []byte, name string) bool {
	kind := kindOf(head, name)
	return kind == stateFile || kind == stateHDF5
}

// kindOf tells a file by its first bytes, and where these do not tell by the end of its name.
func kindOf(head []byte, name string) fileKind {
	ends := func(suffixes ...string) bool {
		for _, s := range suffixes {
			if strings.HasSuffix(strings.ToLower(name), s) {
				return true
			}
		}
		return false
	}
	if hdf5.Is(head) { // what is in it, its name says
		switch {
		case strings.Contains(strings.ToLower(name), "caffemodel"):
			return weightsHDF5
		case strings.Contains(strings.ToLower(name), "solverstate"):
			return stateHDF5
		}
		return otherFile
	}
	if isText(head) {
		if ends(".prototxt") || beginsAsText(head) {
			return netText
		}
		return otherFile
	}
	switch fields := firstFields(head, 4); {
	case fields == "1v2v3v4v": // num, channels, height, width
		return meanFile
	case strings.HasPrefix(fields, "1v2b3b") && (ends(".solverstate") || bytes.Contains(head[:min(len(head), 512)], []byte(".caffemodel"))):
		return stateFile
	case ends(".solverstate") && strings.HasPrefix(fields, "1v"):
		return stateFile
	case ends(".binaryproto") && (strings.HasPrefix(fields, "7b") || strings.HasPrefix(fields, "5b")):
		return meanFile
	case ends(".caffemodel") && fields != "", hasName(head) && strings.HasPrefix(strings.TrimPrefix(fields, "1b"), "100b"):
		return weightsFile
	case hasName(head) && strings.HasPrefix(fields, "1b2b") && bytes.Contains(head, []byte("\x12\x04data")):
		return weightsFile
	}
	return otherFile
}

// firstFields are the numbers of the first fields of a message, each with v, f or b for
// numbers, fixed numbers and bytes; of those that reach beyond the head only the first.
func firstFields(head []byte, most int) string {
	var all strings.Builder
	for range most {
		number, wire, n := protowire.ConsumeTag(head)
		if n < 0 {
			break
		}
		kinds := map[protowire.Type]byte{protowire.VarintType: 'v', protowire.BytesType: 'b', protowire.Fixed32Type: 'f', protowire.Fixed64Type: 'f'}
		kind, ok := kinds[wire]
		if !ok {
			return ""
		}
		fmt.Fprintf(&all, "%d%c", number, kind)
		size := protowire.ConsumeFieldValue(number, wire, head[n:])
		if size < 0 {
			break
		}
		head = head[n+size:]
	}
	return all.String()
}

// hasName reports whether a message begins with a name, or has none.
func hasName(head []byte) bool {
	number, wire, n := protowire.ConsumeTag(head)
	if n < 0 || number != 1 {
		return n > 0
	}
	name, size := protowire.ConsumeBytes(head[n:])
	return wire == protowire.BytesType && size > 0 && isText(name)
}

// isText reports whether bytes, which may end within a character, are text.
func isText(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 && len(b)-i >= utf8.UTFMax || r < ' ' && strings.IndexByte("\t\n\r\f\v", byte(r)) < 0 {
			return false
		}
		i += n
	}
	return len(b) > 0
}

// beginsAsText reports whether a text begins with a field of a network or a solver.
func beginsAsText(head []byte) bool {
	l := lexer{text: bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), line: 1, column: 1}
	name, err := l.read()
	if err != nil || name.kind != wordToken {
		return false
	}
	then, err := l.read()
	if err != nil || then.kind != symbolToken || then.text != ":" && then.text != "{" {
		return false
	}
	for _, m := range []string{"NetParameter", "SolverParameter"} {
		if schema()[m].byName[name.text] != nil {
			return true
		}
	}
	return false
}

// netFile is a network with its file.
type netFile struct {
	path string
	net  *network
}

// files are what was given.
type files struct {
	net, weights *netFile
	mean         *meanImage
	solver       *Solver
	state        *State
}

// largestFile bounds a binary file, in bytes: protobuf has no larger messages.
const largestFile = 1<<31 - 1

// openFiles reads files of all kinds, of each one at most.
func openFiles(ctx context.Context, paths []string) (*files, error) {
	f := &files{}
	if len(paths) == 0 {
		return nil, errors.New("there is no file to read")
	}
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := f.open(path); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if f.net == nil && f.solver != nil && f.solver.net != nil {
		n, err := newNetwork(f.solver.net, false)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.solver.path, err)
		}
		f.net = &netFile{f.solver.path, n}
	}
	if f.net == nil && f.weights != nil && f.weights.net.strange != nil {
		return nil, fmt.Errorf("%s: %w", f.weights.path, f.weights.net.strange)
	}
	return f, nil
}

// open reads one file.
func (f *files) open(path string) error {
	b, err := readFile(path)
	if err != nil {
		return err
	}
	kind := kindOf(b[:min(len(b), 4096)], filepath.Base(path))
	second := func(taken bool, what string) error {
		if taken {
			return fmt.Errorf("it is a second %s: give one", what)
		}
		return nil
	}
	switch kind {
	case netText:
		return f.openText(path, b, second)
	case weightsFile:
		m, err := parseBinary(schema()["NetParameter"], b)
		if err != nil {
			return err
		}
		n, err := newNetwork(m, true)
		if err != nil {
			return err
		}
		if in, number, ok := m.stranger(); ok {
			n.strange = fmt.Errorf("%v: the %s there has a field %d, which BVLC's caffe.proto does not have: the file is of a fork of Caffe; give the network's prototxt too", in.at, in.of.name, number)
		}
		err = second(f.weights != nil, "file of weights")
		f.weights = &netFile{path, n}
		return err
	case meanFile:
		m, err := parseBinary(schema()["BlobProto"], b)
		if err != nil {
			return err
		}
		err = second(f.mean != nil, "mean image")
		if err != nil {
			return err
		}
		f.mean, err = newMean(path, m)
		return err
	case stateFile:
		if err := second(f.state != nil, "state of a solver"); err != nil {
			return err
		}
		if f.state, err = newState(b); err != nil {
			return err
		}
		f.state.path = path
		return nil
	case weightsHDF5:
		if err := second(f.weights != nil, "file of weights"); err != nil {
			return err
		}
		n, err := weightsOfHDF5(b)
		f.weights = &netFile{path, n}
		return err
	case stateHDF5:
		if err := second(f.state != nil, "state of a solver"); err != nil {
			return err
		}
		if f.state, err = stateOfHDF5(b); err != nil {
			return err
		}
		f.state.path = path
		return nil
	}
	return errors.New("it is no file of Caffe's: a prototxt, a caffemodel or a binaryproto is read")
}

// openText reads a network or a solver.
func (f *files) openText(path string, b []byte, second func(bool, string) error) error {
	if looksLikeSolver(b) {
		s, err := newSolver(b)
		if err != nil {
			return err
		}
		s.path = path
		err = second(f.solver != nil, "solver")
		f.solver = s
		return err
	}
	m, err := parseText(schema()["NetParameter"], b)
	if err != nil {
		return err
	}
	n, err := newNetwork(m, false)
	if err != nil {
		return err
	}
	err = second(f.net != nil, "network")
	f.net = &netFile{path, n}
	return err
}

// readFile reads a whole file, unless it is too large to be one of Caffe's.
func readFile(path string) ([]byte, error) {
	s, err := os.Stat(path)
	if err != nil {
		return nil, bare(err)
	}
	if s.IsDir() {
		return nil, errors.New("it is a folder")
	}
	if s.Size() > largestFile {
		return nil, fmt.Errorf("it has %d bytes; at most %d are read", s.Size(), largestFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, bare(err)
	}
	if len(b) == 0 {
		return nil, errors.New("it is empty")
	}
	return b, nil
}

// bare is an error of the file system without the path, which whoever returns it adds.
func bare(err error) error {
	if p := (*os.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}

// format says what the files are.
func (f *files) format() string {
	switch {
	case f.net == nil:
		return fmt.Sprintf("Caffe, binary, layers of version %d", f.weights.net.version)
	case f.weights == nil:
		return fmt.Sprintf("Caffe, text, layers of version %d", f.net.net.version)
	}
	return fmt.Sprintf("Caffe, text, layers of version %d; weights of version %d", f.net.net.version, f.weights.net.version)
}
