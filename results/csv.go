package results

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// CSVFile is the name, in a run's folder, of the log as a table.
const CSVFile = "log.csv"

// LogTable writes lines of a log as a table in CSV (RFC 4180). A column has the key of a
// number in the JSON of a line, and its text. A number that a line does not have is an
// empty cell.
type LogTable struct{ columns []string }

// Fit makes columns of the table of all keys of some lines, and reports whether there
// were new ones: rows that were written before do not have them. A new column stands
// behind the one that it follows in its line.
func (t *LogTable) Fit(lines ...LogLine) (grown bool) {
	for _, l := range lines {
		at := 0 // where the next column of the line may be
		l.each(func(key string, _ any) {
			if i := slices.Index(t.columns, key); i >= 0 {
				at = i + 1
				return
			}
			t.columns = slices.Insert(t.columns, at, key)
			at++
			grown = true
		})
	}
	return grown
}

// WriteHeader writes the names of the columns. A name that a spreadsheet would read as a
// formula gets an apostrophe in front.
func (t *LogTable) WriteHeader(w io.Writer) error { return writeRow(w, cells(t.columns)) }

// WriteRow writes a line, of whose keys there must be columns, in one piece.
func (t *LogTable) WriteRow(w io.Writer, l LogLine) (err error) {
	row := make([]string, len(t.columns))
	l.each(func(key string, value any) {
		text, failed := json.Marshal(value)
		i := slices.Index(t.columns, key)
		switch {
		case err != nil:
		case failed != nil:
			err = failed
		case i < 0:
			err = fmt.Errorf("the table has no column for %q", key)
		default:
			row[i] = string(text)
		}
	})
	if err != nil {
		return err
	}
	return writeRow(w, row)
}

// writeRow writes cells, quoted where they need it.
func writeRow(w io.Writer, row []string) error {
	var line bytes.Buffer
	c := csv.NewWriter(&line)
	if err := c.Write(row); err != nil {
		return err
	}
	c.Flush()
	_, err := w.Write(line.Bytes())
	return err
}
