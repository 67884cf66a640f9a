// Command show draws what is in a trained network: filters, activations, and which
// pixels a class or a unit depends on. -h lists what it can show.
package main

import "github.com/hubel-go/hubel/cmd/show/program"

func main() { program.Main() }
