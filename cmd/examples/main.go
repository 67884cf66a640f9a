// Command examples repeats the experiments of the lecture: each is a table of trainings
// and ends in numbers. -h lists them.
package main

import "github.com/hubel-go/hubel/cmd/examples/program"

func main() { program.Main() }
