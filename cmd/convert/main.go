// Command convert reads networks of other frameworks into weights files, and writes weights
// files for other frameworks. -h lists the flags.
package main

import "github.com/hubel-go/hubel/cmd/convert/program"

func main() { program.Main() }
