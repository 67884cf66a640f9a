// Command train trains a network on a data set, continues a run, evaluates weights,
// or describes a network. -h lists the flags.
package main

import "github.com/hubel-go/hubel/cmd/train/program"

func main() { program.Main() }
