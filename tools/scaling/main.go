// Scaling predicts how training on many ranks goes, compares the prediction with what
// was measured on a few, and writes the tables into docs/scaling.md. `make scaling`
// runs it.
//
//	go run ./tools/scaling [-check] docs/scaling.md tools/scaling/measured.json
//
// As a rank that mpirun has started, it measures the exchange and prints lines of
// measured.json; tools/scaling/run.sh starts those:
//
//	scaling -rank -link 1gbit
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/hubel-go/hubel/internal/section"
)

func main() {
	check := flag.Bool("check", false, "write nothing: fail if the file is not up to date")
	rank := flag.Bool("rank", false, "measure the exchange, as one of the ranks that mpirun has started")
	link := flag.String("link", "", "with -rank: the `rate` of the links, for the lines that are printed")
	flag.Parse()
	var err error
	switch {
	case *rank && flag.NArg() == 0:
		err = measure(context.Background(), *link, os.Stdout)
	case !*rank && flag.NArg() == 2:
		err = run(flag.Arg(0), flag.Arg(1), *check)
	default:
		fmt.Fprintln(os.Stderr, "usage: scaling [-check] docs/scaling.md tools/scaling/measured.json, or scaling -rank -link RATE")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scaling:", err)
		os.Exit(1)
	}
}

const (
	command    = "make scaling"
	ofMeasured = "make scaling, from measured.json"
)

func run(document, measured string, check bool) error {
	f, err := os.Open(measured)
	if err != nil {
		return err
	}
	defer f.Close()
	all, err := readMeasured(f)
	if err != nil {
		return fmt.Errorf("%s: %w", measured, err)
	}
	predicted, err := predictions()
	if err != nil {
		return err
	}
	compared, err := comparison(all)
	if err != nil {
		return fmt.Errorf("%s: %w", measured, err)
	}
	text, err := section.InsertFile(document, command, predicted)
	if err != nil {
		return err
	}
	if text, err = section.Insert(text, ofMeasured, compared); err != nil {
		return fmt.Errorf("%s: %w", document, err)
	}
	return section.Update(document, text, command, check)
}
