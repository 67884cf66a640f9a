// Command live shows training runs in a browser: those that are over, and those that another
// process trains. -h lists the flags.
package main

import "github.com/hubel-go/hubel/cmd/live/program"

func main() { program.Main() }
