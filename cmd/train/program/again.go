package program

import "flag"

// ResumeFlags are those flags of a training's command line, without the program's name, that
// -resume takes too: with them a run goes on as it was started. A checkpoint keeps the others.
func ResumeFlags(args []string) (again []string) {
	f := new(options).flagSet()
	if f.Parse(args) != nil {
		return nil // the training was refused, too
	}
	takes := map[string]bool{}
	for _, g := range groups {
		for _, e := range g.entries {
			takes[e.name] = e.modes&resuming != 0
		}
	}
	f.Visit(func(f *flag.Flag) {
		if takes[f.Name] {
			again = append(again, "-"+f.Name+"="+f.Value.String())
		}
	})
	return again
}
