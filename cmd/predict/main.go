// Command predict classifies pictures, or predicts numbers from them, with weights
// that train has made. -h lists the flags.
package main

import "github.com/hubel-go/hubel/cmd/predict/program"

func main() { program.Main() }
