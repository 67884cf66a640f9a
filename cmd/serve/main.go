// Command serve answers HTTP requests with the predictions of trained networks. -h lists the
// flags; docs/serving.md describes the requests.
package main

import "github.com/hubel-go/hubel/cmd/serve/program"

func main() { program.Main() }
