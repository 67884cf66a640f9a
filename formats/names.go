package formats

import (
	"fmt"
	"strings"
	"unicode"
)

// longestName is how many bytes a name has at most. graph has the same limit.
const longestName = 200

// Names makes names that a network can have of those in a file. The zero Names has none.
type Names struct {
	taken map[string]bool
	next  map[string]int // the number to try next, of names that were taken
}

// Make is a name for something that the file calls source: source itself, if a network may
// have such a name and it is not taken. Otherwise colons, slashes, spaces, and what cannot
// be printed, become "_", and a number at the end makes the name unique.
func (n *Names) Make(source string) string {
	name := strings.Map(func(r rune) rune {
		if r == ':' || r == '/' || unicode.IsSpace(r) || !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return '_'
		}
		return r
	}, strings.Trim(source, "/"))
	if name == "" {
		name = "value"
	}
	const room = longestName - len("_1000000")
	if len(name) > room {
		name = strings.ToValidUTF8(name[:room], "")
	}
	if n.taken == nil {
		n.taken, n.next = map[string]bool{}, map[string]int{}
	}
	unique := name
	for i := max(n.next[name], 2); n.taken[unique]; i++ {
		unique = fmt.Sprintf("%s_%d", name, i)
		n.next[name] = i + 1
	}
	n.taken[unique] = true
	return unique
}
