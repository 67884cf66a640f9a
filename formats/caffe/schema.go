package caffe

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// kind is what a field holds.
type kind uint8

const (
	integerField kind = iota
	unsignedField
	floatField
	boolField
	stringField
	enumField
	messageField
	blobField // numbers of a tensor, which are kept as the bytes that they are
	wideField // the same in float64
)

// definition is a message of caffe.proto.
type definition struct {
	name     string
	byName   map[string]*fieldDefinition
	byNumber map[int]*fieldDefinition
}

// fieldDefinition is a field of a message.
type fieldDefinition struct {
	name     string
	number   int // 0 for one that only forks have, whose numbers differ: it is read as text alone
	kind     kind
	repeated bool
	of       *definition // of a message
	enum     *enumeration
}

// enumeration is the values of an enum.
type enumeration struct {
	name    string
	numbers map[string]int64
	names   map[int64]string
}

// schema is the messages of table, made when the first file is read.
var schema = sync.OnceValue(func() map[string]*definition { return parseSchema(table) })

// parseSchema reads a table. Each line has a message and its fields, with two spaces or a
// line break between them: a name, its number, its type, and "*" if it is repeated. A line
// that begins with "enum" has an enum. A table that cannot be read is a bug of this package.
func parseSchema(table string) map[string]*definition {
	messages, enums := map[string]*definition{}, map[string]*enumeration{}
	kinds := map[string]kind{
		"int": integerField, "uint": unsignedField, "float": floatField, "bool": boolField,
		"string": stringField, "blob": blobField, "wide": wideField,
	}
	must := func(ok bool, what string) {
		if !ok {
			panic("caffe: the table of messages: " + what)
		}
	}
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(table, "\n\t", "  ")), "\n")
	for _, line := range lines {
		name, _, _ := strings.Cut(line, ":")
		if name, ok := strings.CutPrefix(name, "enum "); ok {
			enums[name] = &enumeration{name: name, numbers: map[string]int64{}, names: map[int64]string{}}
			continue
		}
		messages[name] = &definition{name: name, byName: map[string]*fieldDefinition{}, byNumber: map[int]*fieldDefinition{}}
	}
	for _, line := range lines {
		name, rest, _ := strings.Cut(line, ":")
		words := strings.Fields(rest)
		if enum := enums[strings.TrimPrefix(name, "enum ")]; enum != nil {
			for _, word := range words {
				value, number, _ := strings.Cut(word, "=")
				n, err := strconv.Atoi(number)
				must(err == nil, line)
				enum.numbers[value], enum.names[int64(n)] = int64(n), value
			}
			continue
		}
		message := messages[name]
		must(len(words)%2 == 0, line)
		for i := 0; i < len(words); i += 2 {
			field, number, _ := strings.Cut(words[i], "=")
			typ, repeated := strings.CutSuffix(words[i+1], "*")
			f := &fieldDefinition{name: field, repeated: repeated}
			if number != "" {
				var err error
				f.number, err = strconv.Atoi(number)
				must(err == nil, words[i])
				must(message.byNumber[f.number] == nil, name+"."+field)
				message.byNumber[f.number] = f
			}
			if k, ok := kinds[typ]; ok {
				f.kind = k
			} else if f.enum = enums[typ]; f.enum != nil {
				f.kind = enumField
			} else {
				f.kind, f.of = messageField, messages[typ]
				must(f.of != nil, words[i+1])
			}
			must(message.byName[field] == nil, name+"."+field)
			message.byName[field] = f
		}
	}
	return messages
}

// place is where something stands in a file: a line and a column of a text, counted from 1,
// or a byte of a binary file, counted from 0.
type place struct {
	line, column int // 0 in a binary file
	offset       int
}

// String is the place as errors have it.
func (p place) String() string {
	if p.line == 0 {
		return fmt.Sprintf("byte %d", p.offset)
	}
	return fmt.Sprintf("line %d, column %d", p.line, p.column)
}
