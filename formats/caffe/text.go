package caffe

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/internal/printable"
)

// largestText bounds a text, in bytes. The largest networks that were published have about
// 1 MiB.
const largestText = 16 << 20

// parseText reads a message in protobuf's text format
// (protobuf.dev/reference/protobuf/textformat-spec), as prototxt files are.
func parseText(of *definition, text []byte) (*message, error) {
	if len(text) > largestText {
		return nil, fmt.Errorf("the text has %d bytes; at most %d are read", len(text), largestText)
	}
	p := textParser{lexer: lexer{text: bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), line: 1, column: 1}}
	if err := p.next(); err != nil {
		return nil, err
	}
	m := &message{of: of, at: p.token.at}
	return m, p.fields(m, "", 0)
}

type textParser struct {
	lexer
	token  token
	layer  *message // that is being read
	values int
}

func (p *textParser) next() (err error) {
	p.token, err = p.read()
	return err
}

// fail is an error at a place, which names the layer that it is in.
func (p *textParser) fail(at place, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	if l := p.layer; l != nil {
		name := l.text("name", l.optionalSub("layer").text("name", ""))
		if name == "" {
			what = fmt.Sprintf("the layer that begins in line %d: %s", l.at.line, what)
		} else {
			what = fmt.Sprintf("layer %q: %s", name, what)
		}
	}
	return fmt.Errorf("%v: %s", at, what)
}

// optionalSub is sub for definitions that may lack the field.
func (m *message) optionalSub(name string) *message {
	if m.of.byName[name] == nil {
		return nil
	}
	return m.sub(name)
}

func (p *textParser) expected(what string) error {
	return p.fail(p.token.at, "there is %s where %s is expected", p.token, what)
}

// take reads the token if it is that symbol.
func (p *textParser) take(symbol string) (bool, error) {
	if p.token.kind != symbolToken || p.token.text != symbol {
		return false, nil
	}
	return true, p.next()
}

// fields reads the fields of a message up to the symbol that ends it; a file has none.
func (p *textParser) fields(m *message, end string, depth int) error {
	if depth > deepest {
		return p.fail(m.at, "messages lie more than %d deep in one another", deepest)
	}
	for {
		switch {
		case p.token.kind == endToken && end == "":
			return nil
		case p.token.kind == endToken:
			return p.fail(p.token.at, "the file ends inside of the %s that begins in line %d: %q is missing", m.of.name, m.at.line, end)
		case end != "" && p.token.kind == symbolToken && p.token.text == end:
			return p.next()
		case p.token.kind != wordToken:
			return p.expected("the name of a field")
		}
		name := p.token
		f := m.of.byName[name.text]
		if f == nil {
			return p.fail(name.at, "%s has no field %q in BVLC's caffe.proto%s", m.of.name, printable.Name(name.text), hint(name.text))
		}
		if err := p.next(); err != nil {
			return err
		}
		if err := p.field(m, f, name.at, depth); err != nil {
			return err
		}
		for _, separator := range []string{",", ";"} {
			if taken, err := p.take(separator); err != nil {
				return err
			} else if taken {
				break
			}
		}
	}
}

// field reads what stands behind the name of a field.
func (p *textParser) field(m *message, f *fieldDefinition, at place, depth int) error {
	colon, err := p.take(":")
	if err != nil {
		return err
	}
	if !colon && f.kind != messageField {
		return p.expected(fmt.Sprintf("\":\" behind %s", f.name))
	}
	list, err := p.take("[")
	if err != nil {
		return err
	}
	if !list {
		return p.value(m, f, at, depth)
	}
	if !f.repeated && f.kind != blobField && f.kind != wideField {
		return p.fail(at, "%s is one value, not a list", f.name)
	}
	for first := true; ; first = false {
		if closed, err := p.take("]"); err != nil || closed && first {
			return err
		} else if closed {
			return p.fail(p.token.at, "the list of %s ends with a comma", f.name)
		}
		if err := p.value(m, f, at, depth); err != nil {
			return err
		}
		if closed, err := p.take("]"); err != nil || closed {
			return err
		}
		if comma, err := p.take(","); err != nil {
			return err
		} else if !comma {
			return p.expected("\",\" or \"]\"")
		}
	}
}

// value reads one value.
func (p *textParser) value(m *message, f *fieldDefinition, at place, depth int) error {
	if p.values++; p.values > mostValues {
		return p.fail(at, "the file has more than %d values", mostValues)
	}
	if m.has(f.name) && !f.repeated && f.kind != blobField && f.kind != wideField {
		return p.fail(at, "%s of the %s is given a second time", f.name, m.of.name)
	}
	v := field{fieldDefinition: f, at: at}
	if f.kind == messageField {
		return p.submessage(m, v, depth)
	}
	var err error
	switch f.kind {
	case stringField:
		v.text, err = p.str(f)
	case enumField:
		v.integer, err = p.enum(f)
	case boolField:
		v.integer, err = p.boolean(f)
	case integerField, unsignedField:
		v.integer, err = p.integer(f)
	case floatField:
		v.real, err = p.real(f)
	case blobField, wideField:
		return p.tensor(m, v)
	}
	if err != nil {
		return err
	}
	m.add(v)
	return nil
}

// submessage reads a message in braces, or in angle brackets.
func (p *textParser) submessage(m *message, v field, depth int) error {
	end := "}"
	open, err := p.take("{")
	if err == nil && !open {
		end = ">"
		open, err = p.take("<")
	}
	if err != nil {
		return err
	}
	if !open {
		return p.expected(fmt.Sprintf("\"{\" behind %s", v.name))
	}
	v.message = &message{of: v.of, at: v.at}
	if v.of.name == "LayerParameter" || v.of.name == "V1LayerParameter" {
		outer := p.layer
		p.layer = v.message
		defer func() { p.layer = outer }()
	}
	if v.of.name == "V0LayerParameter" { // so that errors in it know its name
		m.add(v)
		return p.fields(v.message, end, depth+1)
	}
	if err := p.fields(v.message, end, depth+1); err != nil {
		return err
	}
	m.add(v)
	return nil
}

// tensor reads a number of a tensor, which is kept as bytes.
func (p *textParser) tensor(m *message, v field) error {
	x, err := p.real(v.fieldDefinition)
	if err != nil {
		return err
	}
	if !m.has(v.name) {
		m.add(v)
	}
	to := m.get(v.name)
	if v.kind == wideField {
		to.raw = appendFloat64(to.raw, x)
	} else {
		to.raw = appendFloat32(to.raw, float32(x))
	}
	return nil
}

// str reads a string, or several that stand behind each other and are one.
func (p *textParser) str(f *fieldDefinition) (string, error) {
	if p.token.kind != stringToken {
		return "", p.expected(fmt.Sprintf("a string in quotes for %s", f.name))
	}
	var all strings.Builder
	for p.token.kind == stringToken {
		all.WriteString(p.token.text)
		if err := p.next(); err != nil {
			return "", err
		}
	}
	return all.String(), nil
}

func (p *textParser) enum(f *fieldDefinition) (int64, error) {
	t := p.token
	n, ok := f.enum.numbers[t.text]
	switch {
	case t.kind == stringToken && ok:
		return 0, p.fail(t.at, "%s takes the name %s without quotes", f.name, t.text)
	case t.kind == stringToken:
		return 0, p.fail(t.at, "%s takes a name of the enum %s without quotes, not %q%s", f.name, f.enum.name, printable.Name(t.text), quotedHint(f))
	case t.kind == wordToken && !ok:
		return 0, p.fail(t.at, "%s has no value %s in BVLC's caffe.proto%s", f.enum.name, printable.Name(t.text), hint(t.text))
	case t.kind == numberToken:
		var err error
		n, err = strconv.ParseInt(t.text, 10, 32)
		if err != nil || f.enum.names[n] == "" {
			return 0, p.fail(t.at, "%s has no value %s", f.enum.name, t)
		}
	case t.kind != wordToken:
		return 0, p.expected(fmt.Sprintf("a name of the enum %s", f.enum.name))
	}
	return n, p.next()
}

func (p *textParser) boolean(f *fieldDefinition) (n int64, err error) {
	switch t := p.token; {
	case t.kind == stringToken || t.kind == symbolToken || t.kind == endToken:
		return 0, p.expected(fmt.Sprintf("true or false for %s", f.name))
	case t.text == "true" || t.text == "True" || t.text == "t" || t.text == "1":
		n = 1
	case t.text == "false" || t.text == "False" || t.text == "f" || t.text == "0":
	default:
		return 0, p.expected(fmt.Sprintf("true or false for %s", f.name))
	}
	return n, p.next()
}

func (p *textParser) integer(f *fieldDefinition) (int64, error) {
	what := fmt.Sprintf("a whole number for %s", f.name)
	if p.token.kind != numberToken {
		return 0, p.expected(what)
	}
	n, err := strconv.ParseInt(p.token.text, 0, 64) // 0x is hexadecimal, 0 octal
	if err != nil || strings.ContainsAny(p.token.text, "_oObB") && !strings.ContainsAny(p.token.text, "xX") {
		return 0, p.expected(what)
	}
	if f.kind == unsignedField && n < 0 {
		return 0, p.fail(p.token.at, "%s must not be negative, as %d is", f.name, n)
	}
	return n, p.next()
}

func (p *textParser) real(f *fieldDefinition) (float64, error) {
	word := strings.ToLower(p.token.text)
	switch name := strings.TrimPrefix(word, "-"); {
	case p.token.kind == stringToken || p.token.kind == symbolToken || p.token.kind == endToken:
		return 0, p.expected(fmt.Sprintf("a number for %s", f.name))
	case name == "inf" || name == "infinity" || name == "nan":
	case p.token.kind != numberToken:
		return 0, p.expected(fmt.Sprintf("a number for %s", f.name))
	default:
		word = strings.TrimSuffix(word, "f")
	}
	if strings.ContainsAny(word, "_xp") {
		return 0, p.expected(fmt.Sprintf("a decimal number for %s", f.name))
	}
	v, err := strconv.ParseFloat(word, 64)
	if err != nil && !math.IsInf(v, 0) { // one that is too large is infinite, as in protobuf
		return 0, p.expected(fmt.Sprintf("a number for %s", f.name))
	}
	return v, p.next()
}
