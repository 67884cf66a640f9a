package command

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// column is where explanations begin, and width where their lines end.
const (
	column = 24
	width  = 80
)

// Explain writes a flag, what it means, and its default.
func Explain(w io.Writer, f *flag.Flag) {
	value, text := flag.UnquoteUsage(f)
	switch f.DefValue {
	case "", "0", "false":
	default:
		first, rest, _ := strings.Cut(text, "\n")
		text = strings.TrimSuffix(first+" (default "+f.DefValue+")\n"+rest, "\n")
	}
	head := strings.TrimSpace("-" + f.Name + " " + value)
	indent := "\n" + strings.Repeat(" ", column)
	fmt.Fprintf(w, "  %-*s%s\n", column-2, head+" ", strings.Join(wrap(text, width-column), indent))
}

// wrap breaks text into lines of at most width characters, where it can.
func wrap(text string, width int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		line := ""
		for i, word := range strings.SplitAfter(paragraph, " ") {
			if i > 0 && len(line)+len(strings.TrimSpace(word)) > width {
				lines = append(lines, strings.TrimRight(line, " "))
				line = ""
			}
			line += word
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return lines
}
