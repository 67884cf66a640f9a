// Command train trains a network on a data set, goes on with a run, evaluates
// weights, or describes a network. Its -h says how.
package main

import "github.com/hubel-go/hubel/cmd/train/program"

func main() { program.Main() }
