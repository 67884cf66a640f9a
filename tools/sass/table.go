package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/kernels/cuda/costmodel"
	"github.com/hubel-go/hubel/kernels/cuda/occupancy"
)

// table is a table of all kernels, and one of the main loops.
func table(all []kernel) string {
	var capabilities []int
	rows := map[string]map[int]kernel{}
	var names []string
	for _, k := range all {
		if !slices.Contains(capabilities, k.capability) {
			capabilities = append(capabilities, k.capability)
		}
		if rows[k.name] == nil {
			rows[k.name] = map[int]kernel{}
			names = append(names, k.name)
		}
		rows[k.name][k.capability] = k
	}
	var b strings.Builder
	header := func(first string) {
		b.WriteString(first)
		for _, c := range capabilities {
			fmt.Fprintf(&b, " sm_%d |", c)
		}
		b.WriteString("\n" + strings.Repeat("|---", strings.Count(first, "|")-1+len(capabilities)) + "|\n")
	}
	first := func(name string) (k kernel) {
		for _, c := range slices.Backward(capabilities) {
			if of, ok := rows[name][c]; ok {
				k = of
			}
		}
		return k
	}
	header("| kernel | source | threads | shared |")
	for _, name := range names {
		first := first(name)
		fmt.Fprintf(&b, "| %s | %s.cu | %d | %d |", name, first.source, first.threads, first.usage.shared)
		for _, c := range capabilities {
			if k, ok := rows[name][c]; ok {
				fmt.Fprintf(&b, " %s |", residency(k))
			} else {
				b.WriteString(" – |")
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	header("| main loop | instructions |")
	for _, name := range names {
		first := first(name)
		if first.loop == 0 {
			continue
		}
		fmt.Fprintf(&b, "| %s | %d |", name, first.loop)
		for _, c := range capabilities {
			if k, ok := rows[name][c]; ok {
				fmt.Fprintf(&b, " %.1f %% |", 100*k.fmaFraction)
			} else {
				b.WriteString(" – |")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// assembled is the kernels as JSON, one a line.
func assembled(all []kernel) string {
	lines := make([]string, len(all))
	for i, k := range all {
		b, err := json.Marshal(costmodel.Assembled{Kernel: k.name, Capability: k.capability,
			Registers: k.usage.registers, Shared: k.usage.shared, FMAFraction: math.Round(1e4*k.fmaFraction) / 1e4})
		if err != nil {
			panic(err) // numbers and a name
		}
		lines[i] = string(b)
	}
	return "[\n" + strings.Join(lines, ",\n") + "\n]\n"
}

// residency is "registers, blocks, share of threads" of a kernel.
func residency(k kernel) string {
	i := slices.IndexFunc(occupancy.SMs, func(s occupancy.SM) bool { return s.Capability == k.capability })
	sm := occupancy.SMs[i]
	of := occupancy.Kernel{Threads: k.threads, Registers: k.usage.registers, Shared: k.usage.shared}
	n := sm.Resident(of)
	return fmt.Sprintf("%d, %d, %.0f %%", k.usage.registers, n, 100*sm.Occupancy(of, n))
}
