package data

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/internal/plain"
)

// Bounds of a file of keypoints.
const (
	largestCSV  = 1 << 30 // bytes of text; Kaggle's training.csv has 240 MB
	largestRow  = 1 << 23 // bytes of a line
	mostColumns = 2000    // of coordinates
	sidesBeyond = 1       // how many sides of the picture a point may be outside of it
)

// faces are square grey pictures with points, in memory.
type faces struct {
	path   string
	side   int
	shape  tensor.Shape // [1,side,side]
	points []string     // names
	mirror []int        // as Mirrored has it

	pixels  []byte    // [N,side,side]
	targets []float32 // [N,2*points], x and y in turn, in [-1,1]; NaN is missing
	rows    []int32   // [N], of the file, from 1
	all     int       // rows of the file
	skipped []Skip
}

// OpenKeypoints reads the CSV file of Kaggle's "Facial Keypoints Detection",
// plain or gzip: two columns of coordinates in pixels for each point, called
// such as nose_tip_x and nose_tip_y, and one called Image, with the grey pixels
// of a square picture, 0 to 255, with spaces between. Any number of points and
// any size will do. The sets are Points: a coordinate p of a picture W wide
// becomes (p - W/2) / (W/2).
//
// Rows that miss a point are left out; with missing they stay, and the missing
// coordinates are NaN, for a loss with Mask. The last fifth of the rows is the
// test set: neighbours are often pictures of one person.
func OpenKeypoints(path string, missing bool) (train, test Dataset, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if s, err := f.Stat(); err != nil || !s.Mode().IsRegular() {
		return nil, nil, cmp.Or(err, fmt.Errorf("%s: it is not a regular file", path))
	}
	all := &faces{path: path}
	if err := all.read(f, missing); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	cut := all.Len() - max(1, all.Len()/5)
	return all.part(0, cut), all.part(cut, all.Len()), nil
}

// part is the rows from one to another.
func (s *faces) part(from, to int) *faces {
	p := *s
	p.pixels = s.pixels[from*s.side*s.side : to*s.side*s.side]
	p.targets = s.targets[from*s.Targets() : to*s.Targets()]
	p.rows = s.rows[from:to]
	if from > 0 { // the training set has told
		p.skipped = nil
	}
	return &p
}

// read reads a file.
func (s *faces) read(file io.Reader, missing bool) error {
	buffered := bufio.NewReaderSize(file, 1<<16)
	var r io.Reader = buffered
	if magic, _ := buffered.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return fmt.Errorf("gzip: %w", truncated(err))
		}
		r = z
	}
	limited := &io.LimitedReader{R: r, N: largestCSV + 1}
	lines := bufio.NewScanner(plain.Text(limited))
	lines.Buffer(make([]byte, 1<<16), largestRow)
	var c csvColumns
	incomplete, first := 0, 0
	n := 0
	for lines.Scan() {
		n++
		line := bytes.TrimRight(lines.Bytes(), "\r")
		var err error
		switch {
		case limited.N == 0:
		case n == 1:
			c, err = parseCSVHeader(string(line))
			s.points, s.mirror = c.points, mirrored(c.points)
		case len(bytes.TrimSpace(line)) > 0:
			s.all++
			var whole bool
			if whole, err = s.add(&c, line); err != nil {
				break
			}
			if whole || missing {
				s.rows = append(s.rows, int32(s.all))
				break
			}
			if incomplete++; incomplete == 1 {
				first = s.all
			}
			s.targets = s.targets[:len(s.targets)-s.Targets()]
			s.pixels = s.pixels[:len(s.pixels)-s.side*s.side]
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	switch err := lines.Err(); {
	case limited.N == 0:
		return fmt.Errorf("it has more than the %d bytes of text allowed", largestCSV)
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("line %d is longer than the %d bytes allowed", n+1, largestRow)
	case err != nil:
		return fmt.Errorf("line %d: %w", n+1, truncated(err))
	case n == 0:
		return errors.New("it is empty")
	case s.all == 0:
		return errors.New("there is no row after the names of the columns")
	}
	if incomplete > 0 {
		s.skipped = []Skip{{
			Name:   fmt.Sprintf("%s, %d of its %d rows", s.path, incomplete, s.all),
			Reason: fmt.Sprintf("a point is missing, in row %d for one; keypoints-missing:%s keeps them", first, s.path),
		}}
	}
	if len(s.rows) < 2 {
		return fmt.Errorf("%d of %d rows can be used; one to train on and one to test on are the least", len(s.rows), s.all)
	}
	return nil
}

// csvColumns is where in a line things stand.
type csvColumns struct {
	n, image int
	points   []string
	of       []int // [n], the coordinate that a column has: an index of the targets; -1 for the image
	names    []string
}

// parseCSVHeader reads the names of the columns.
func parseCSVHeader(line string) (c csvColumns, err error) {
	c.names = strings.Split(line, ",")
	c.n, c.image = len(c.names), -1
	if c.n > mostColumns+1 {
		return c, fmt.Errorf("%d columns are more than the %d allowed", c.n, mostColumns+1)
	}
	seen := map[string]int{}
	for i, name := range c.names {
		name = unquoted(name)
		c.names[i] = name
		if before, ok := seen[name]; ok {
			return c, fmt.Errorf("columns %d and %d are both called %q", before+1, i+1, name)
		}
		seen[name] = i
		c.of = append(c.of, -1)
		if name == "Image" {
			c.image = i
		}
	}
	for i, name := range c.names {
		if i == c.image {
			continue
		}
		point, axis, other := name, 0, "_y"
		switch {
		case strings.HasSuffix(name, "_x"):
		case strings.HasSuffix(name, "_y"):
			axis, other = 1, "_x"
		default:
			return c, fmt.Errorf("column %d, %q, is neither Image nor a coordinate, such as nose_tip_x", i+1, name)
		}
		point = name[:len(name)-2]
		if _, ok := seen[point+other]; !ok {
			return c, fmt.Errorf("column %d, %q, has no partner %q", i+1, name, point+other)
		}
		k := slices.Index(c.points, point)
		if k < 0 {
			k = len(c.points)
			c.points = append(c.points, point)
		}
		c.of[i] = 2*k + axis
	}
	switch {
	case c.image < 0:
		return c, errors.New("there is no column Image")
	case len(c.points) == 0:
		return c, errors.New("there is no point, which has two columns, such as nose_tip_x and nose_tip_y")
	}
	return c, nil
}

func unquoted(field string) string { return strings.Trim(strings.TrimSpace(field), `"`) }

// add adds a row, and reports whether it has all points.
func (s *faces) add(c *csvColumns, line []byte) (whole bool, err error) {
	before := len(s.targets)
	s.targets = slices.Grow(s.targets, s.Targets())[:before+s.Targets()]
	target := s.targets[before:]
	var image []byte
	rest, more := line, true
	for i := range c.n {
		if !more {
			return false, fmt.Errorf("there are %d columns, not %d as in line 1", i, c.n)
		}
		var field []byte
		if field, rest, more = bytes.Cut(rest, []byte{','}); i == c.image {
			image = field
			continue
		}
		text := unquoted(string(field))
		p, err := strconv.ParseFloat(text, 64)
		switch {
		case text == "":
			p = math.NaN()
		case err != nil || math.IsInf(p, 0):
			return false, fmt.Errorf("%s is %q, not a number of pixels", c.names[i], text)
		}
		target[c.of[i]] = float32(p)
	}
	if more {
		return false, fmt.Errorf("there are more than the %d columns of line 1", c.n)
	}
	if err := s.addPixels(bytes.Trim(image, ` "`)); err != nil {
		return false, err
	}
	whole = true
	for k, point := range s.points {
		x, y := target[2*k], target[2*k+1]
		if noX, noY := x != x, y != y; noX != noY {
			has, lacks := "x", "y"
			if noX {
				has, lacks = lacks, has
			}
			return false, fmt.Errorf("%s_%s is missing, but %s_%s is there: a point has both or neither", point, lacks, point, has)
		} else if noX {
			whole = false
		}
		for a, p := range []float32{x, y} {
			half := float64(s.side) / 2
			if beyond := float32(sidesBeyond * s.side); p < -beyond || p > float32(s.side)+beyond {
				return false, fmt.Errorf("%s_%c is %g, far outside a picture of %dx%d", point, "xy"[a], p, s.side, s.side)
			}
			target[2*k+a] = float32((float64(p) - half) / half)
		}
	}
	return whole, nil
}

// addPixels adds the pixels of a row. The first row says how many a picture has.
func (s *faces) addPixels(text []byte) error {
	before := len(s.pixels)
	for i := 0; i < len(text); {
		if text[i] == ' ' {
			i++
			continue
		}
		v, from := 0, i
		for ; i < len(text) && text[i] != ' '; i++ {
			if v = 10*v + int(text[i]) - '0'; text[i] < '0' || text[i] > '9' || v > 255 {
				word, _, _ := bytes.Cut(text[from:], []byte{' '})
				return fmt.Errorf("pixel %d is %.20q, not a whole number from 0 to 255", len(s.pixels)-before, word)
			}
		}
		s.pixels = append(s.pixels, byte(v))
	}
	n := len(s.pixels) - before
	if s.side == 0 {
		if s.side = int(math.Sqrt(float64(n))); n == 0 || s.side*s.side != n {
			return fmt.Errorf("%d pixels are not a square picture", n)
		}
		s.shape = tensor.Shape{1, s.side, s.side}
	}
	if n != s.side*s.side {
		return fmt.Errorf("there are %d pixels, not %dx%d = %d as in line 2", n, s.side, s.side, s.side*s.side)
	}
	return nil
}

// mirrored is which point each becomes in a mirror: the words left and right in
// a name change places. A point without a partner stays.
func mirrored(points []string) []int {
	m := make([]int, len(points))
	for i, name := range points {
		words := strings.Split(name, "_")
		for k, w := range words {
			switch w {
			case "left":
				words[k] = "right"
			case "right":
				words[k] = "left"
			}
		}
		if m[i] = slices.Index(points, strings.Join(words, "_")); m[i] < 0 {
			m[i] = i
		}
	}
	return m
}

func (s *faces) Len() int            { return len(s.rows) }
func (s *faces) Shape() tensor.Shape { return s.shape }
func (s *faces) Classes() []string   { return nil }
func (s *faces) Targets() int        { return 2 * len(s.points) }
func (s *faces) Mirrored() []int     { return s.mirror }
func (s *faces) Skipped() []Skip     { return s.skipped }
func (s *faces) Name(i int) string   { return fmt.Sprintf("row %d", s.rows[i]) }

func (s *faces) Read(dst []float32, i int) (int32, error) {
	n := s.side * s.side
	for k, p := range s.pixels[i*n : (i+1)*n] {
		dst[k] = float32(p)
	}
	return 0, nil
}

func (s *faces) ReadTarget(dst []float32, i int) error {
	copy(dst, s.targets[i*s.Targets():])
	return nil
}
