// Sass assembles the PTX that ships with ptxas, for every capability in the
// table, and writes what became of it into docs/kernels.md: registers, shared
// memory, resident blocks, and how much of the main loops is multiply-adds;
// the same as JSON is what package costmodel knows of a kernel. A kernel that
// spills is an error. `make sass` runs it.
//
//	go run ./tools/sass [-check] CUDA/bin kernels/cuda docs/kernels.md kernels/cuda/costmodel/assembled.json
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/hubel-go/hubel/internal/section"
	"github.com/hubel-go/hubel/kernels/cuda/occupancy"
)

func main() {
	check := flag.Bool("check", false, "write nothing: fail if a file is not up to date")
	flag.Parse()
	if flag.NArg() != 4 {
		fmt.Fprintln(os.Stderr, "usage: sass [-check] CUDA/bin kernels/cuda docs/kernels.md kernels/cuda/costmodel/assembled.json")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), flag.Arg(1), flag.Arg(2), flag.Arg(3), *check); err != nil {
		fmt.Fprintln(os.Stderr, "sass:", err)
		os.Exit(1)
	}
}

func run(tools, kernels, document, list string, check bool) error {
	found := make([][]kernel, len(occupancy.SMs))
	errs := make([]error, len(occupancy.SMs))
	var group sync.WaitGroup
	for i, sm := range occupancy.SMs {
		group.Go(func() { found[i], errs[i] = assemble(tools, filepath.Join(kernels, "ptx"), sm.Capability) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	all := slices.Concat(found...)
	keepMainLoops(all)
	if err := spills(all); err != nil {
		return err
	}
	const command = "make sass"
	text, err := section.InsertFile(document, command, table(all))
	if err != nil {
		return err
	}
	return errors.Join(section.Update(document, text, command, check), section.Update(list, assembled(all), command, check))
}

// kernel is a kernel, assembled for one capability.
type kernel struct {
	source      string // file, without its ending
	name        string
	capability  int
	usage       usage
	threads     int     // a block
	fmaFraction float64 // of multiplications in the main loop; 0 without one
	loop        int     // instructions of the main loop
	tensor      bool    // its multiplications are those of tensor cores
}

// assemble assembles every PTX file of the highest capability that the given
// one runs.
func assemble(tools, ptx string, capability int) ([]kernel, error) {
	folder := ""
	for _, sm := range occupancy.SMs {
		f := filepath.Join(ptx, fmt.Sprintf("sm%d", sm.Capability))
		if _, err := os.Stat(f); err == nil && sm.Capability <= capability {
			folder = f
		}
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.ptx"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no PTX for sm_%d in %s", capability, ptx)
	}
	work, err := os.MkdirTemp("", "sass")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	var all []kernel
	for _, file := range files {
		source := strings.TrimSuffix(filepath.Base(file), ".ptx")
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		cubin := filepath.Join(work, source)
		info, err := output(filepath.Join(tools, "ptxas"), "-v", fmt.Sprintf("-arch=sm_%d", capability), "-o", cubin, file)
		if err != nil {
			return nil, err
		}
		usages := parseUsage(info)
		sass, err := output(filepath.Join(tools, "cuobjdump"), "-sass", cubin)
		if err != nil {
			return nil, err
		}
		functions := parseSASS(sass)
		for name, threads := range entries(string(text)) {
			u, ok := usages[name]
			if !ok {
				return nil, fmt.Errorf("%s: ptxas says nothing of kernel %s", file, name)
			}
			k := kernel{source: source, name: name, capability: capability, usage: u, threads: threads}
			k.fmaFraction, k.loop = mainLoop(functions[name])
			k.tensor = multiplication(functions[name]) == tensorProduct
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b kernel) int {
		if a.source != b.source {
			return strings.Compare(a.source, b.source)
		}
		return strings.Compare(a.name, b.name)
	})
	return all, nil
}

// output runs a tool and returns all it prints.
func output(tool string, args ...string) (string, error) {
	var all bytes.Buffer
	c := exec.Command(tool, args...)
	c.Stdout, c.Stderr = &all, &all
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", filepath.Base(tool), strings.Join(args, " "), err, all.String())
	}
	return all.String(), nil
}

// spills is an error about kernels that keep registers in memory.
func spills(all []kernel) error {
	var bad []string
	for _, k := range all {
		if k.usage.spilled > 0 {
			bad = append(bad, fmt.Sprintf("%s spills %d bytes on sm_%d", k.name, k.usage.spilled, k.capability))
		}
	}
	if len(bad) > 0 {
		return errors.New(strings.Join(bad, "; "))
	}
	return nil
}
