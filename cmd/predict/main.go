// Command predict tells what is in pictures, with weights that train has made. Its -h
// says how.
package main

import "github.com/hubel-go/hubel/cmd/predict/program"

func main() { program.Main() }
