package graph

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/layers"
)

// MemoryError says that a plan does not fit into PlanOptions.Memory, whatever is recomputed.
type MemoryError struct {
	Network string
	Batch   int
	Limit   int64  // PlanOptions.Memory
	Least   Memory // of the smallest plan that was found
}

// Error names the smallest memory and its parts.
func (e *MemoryError) Error() string {
	return fmt.Sprintf("training %.255q with a batch of %d needs at least %s, even if activations are recomputed (%v), and the limit is %s: take a smaller batch or more memory",
		e.Network, e.Batch, MiB(e.Least.Total()), e.Least, MiB(e.Limit))
}

// Recomputed is how many forward steps run again in the backward part, and their share of the
// operations (Step.FLOPs) of one pass without them.
func (p *Plan) Recomputed() (steps int, share float64) {
	var again, all int64
	for _, s := range p.Steps {
		if s.Again {
			steps++
			again += s.FLOPs
		} else {
			all += s.FLOPs
		}
	}
	return steps, float64(again) / float64(max(all, 1))
}

// byteCost is how many operations take as long as moving one byte of memory, for the choice of
// what to recompute: about the ratio of both rates on processors and on graphics cards.
const byteCost = 8

// recomputer chooses forward steps whose outputs are not kept for the backward part, but
// computed there once more, just before the first step that reads them. This is
// Chen, Xu, Zhang and Guestrin 2016 (Training deep nets with sublinear memory cost), on any graph,
// with the cost of each step as in Jain et al. 2020 (Checkmate).
type recomputer struct {
	*planner           // with the steps and values of the plan that keeps everything
	cost     []int64   // of running a forward step again, in operations
	bytes    []int64   // of its outputs
	ratio    []float64 // of the two; below 0 if it cannot run again
	producer []int     // of values: forward step, -1 of an input
}

// trial is a set of steps to run again, by forward step, and what it leads to.
type trial struct {
	again []bool
	cost  int64
	live  int64 // most bytes alive at one time: at most the arena
}

// recompute plans within Options.Memory. The plan keeps everything if that fits.
func (p *planner) recompute() error {
	r := p.newRecomputer()
	plain := r.build(make([]bool, len(r.cost)))
	plain.place()
	limit := p.Options.Memory - (plain.Memory().Total() - plain.Arena)
	if plain.Arena <= limit {
		p.Plan = plain.Plan
		return nil
	}
	trials := r.trials()
	slices.SortStableFunc(trials, func(a, b trial) int { return cmp.Compare(a.cost, b.cost) })
	for _, t := range trials {
		if t.live > limit {
			continue
		}
		if q := r.placed(t.again); q.Arena <= limit {
			p.Plan = r.keepMore(t, q, limit).Plan
			return nil
		}
	}
	least := plain
	slices.SortStableFunc(trials, func(a, b trial) int { return cmp.Compare(a.live, b.live) })
	for _, t := range trials[:min(4, len(trials))] {
		if q := r.placed(t.again); q.Arena < least.Arena {
			least = q
		}
	}
	return &MemoryError{Network: p.Network.Name, Batch: p.Options.Batch, Limit: p.Options.Memory, Least: least.Memory()}
}

func (p *planner) newRecomputer() *recomputer {
	forward := slices.IndexFunc(p.Steps, func(s Step) bool { return s.Backward })
	if forward < 0 {
		forward = len(p.Steps)
	}
	r := &recomputer{planner: p, cost: make([]int64, forward), bytes: make([]int64, forward), ratio: make([]float64, forward), producer: filled(len(p.Values))}
	kept := map[int]bool{}
	for v, k := range p.keep {
		if k {
			kept[p.value[v]] = true
		}
	}
	for i, s := range p.Steps[:forward] {
		spec := &p.Specs[s.Node]
		r.cost[i] = s.FLOPs
		able := !s.UpdateState || spec.Repeats
		for _, v := range s.In {
			r.cost[i] += byteCost * p.Values[v].Bytes
		}
		for _, v := range s.Out {
			r.cost[i] += byteCost * p.Values[v].Bytes
			r.bytes[i] += p.Values[v].Bytes
			r.producer[v] = i
			able = able && !kept[v]
		}
		if !spec.Repeats {
			for _, v := range s.Saved {
				r.bytes[i] += p.Values[v].Bytes
				r.producer[v] = i
			}
		}
		r.ratio[i] = float64(r.cost[i]) / float64(max(r.bytes[i], 1))
		if !able {
			r.ratio[i] = -1
		}
	}
	return r
}

// trials are sets of steps of two parameters: how much a byte may cost, and how many bytes may
// come back for one value, from the kept values before it on.
func (r *recomputer) trials() []trial {
	var ratios []float64
	total := int64(0)
	for i, x := range r.ratio {
		total += r.bytes[i]
		if x >= 0 {
			ratios = append(ratios, x)
		}
	}
	slices.Sort(ratios)
	ratios = slices.Compact(ratios)
	const most = 24 // of each parameter
	var list []trial
	for k := range min(most, len(ratios)) {
		highest := ratios[(k+1)*len(ratios)/min(most, len(ratios))-1]
		for longest, n := total, 0; longest > 0 && n < most; longest, n = longest*2/3, n+1 {
			list = append(list, r.try(r.choose(highest, longest)))
		}
	}
	return list
}

// choose marks the steps that cost at most highest a byte. A chain of them that would bring
// back more than longest bytes is cut: its end is kept.
func (r *recomputer) choose(highest float64, longest int64) []bool {
	again, chain := make([]bool, len(r.cost)), make([]int64, len(r.cost))
	for i, s := range r.Steps[:len(r.cost)] {
		if r.ratio[i] < 0 || r.ratio[i] > highest {
			continue
		}
		chain[i] = r.bytes[i]
		for _, v := range s.In {
			if f := r.producer[v]; f >= 0 {
				chain[i] = min(chain[i]+chain[f], longest+1)
			}
		}
		if again[i] = chain[i] <= longest; !again[i] {
			chain[i] = 0
		}
	}
	return again
}

func (r *recomputer) try(again []bool) trial {
	q := r.build(again)
	t := trial{again: again, live: q.live()}
	for i, s := range q.Steps {
		if s.Again {
			t.cost += r.cost[q.again[i]]
		}
	}
	return t
}

// keepMore keeps steps of a trial that fits, the most expensive first, as long as it fits.
func (r *recomputer) keepMore(t trial, best *rebuilt, limit int64) *rebuilt {
	order := make([]int, 0, len(t.again))
	for i, on := range t.again {
		if on {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(r.cost[b], r.cost[a]) })
	const most = 96 // attempts; each plans the whole memory
	for _, i := range order[:min(most, len(order))] {
		again := slices.Clone(t.again)
		again[i] = false
		next := r.try(again)
		if next.live > limit || next.cost >= t.cost {
			continue
		}
		if q := r.placed(again); q.Arena <= limit {
			t, best = next, q
		}
	}
	return best
}

// rebuilt is a plan with steps that run again.
type rebuilt struct {
	*planner
	again map[int]int // forward step of a step that runs again
}

// placed is build with the place of every value.
func (r *recomputer) placed(again []bool) *rebuilt {
	q := r.build(again)
	q.place()
	return q
}

// build copies the plan, and puts each marked step before the first backward step that reads
// what it makes.
func (r *recomputer) build(again []bool) *rebuilt {
	p, plan := *r.planner, *r.Plan
	p.Plan = &plan
	plan.Values = slices.Clone(r.Values)
	plan.Steps = slices.Clone(r.Steps[:len(again)])
	q := &rebuilt{&p, map[int]int{}}
	copies := map[int]int{} // of values that were made again
	current := func(list []int) []int {
		list = slices.Clone(list)
		for i, v := range list {
			if c, ok := copies[v]; ok {
				list[i] = c
			}
		}
		return list
	}
	var ensure func(list []int)
	ensure = func(list []int) {
		for _, v := range list {
			f := r.producer[v]
			if _, made := copies[v]; made || f < 0 || !again[f] {
				continue
			}
			s := r.Steps[f]
			ensure(s.In)
			s.In = current(s.In)
			s.Again, s.UpdateState = true, false
			made := slices.Clone(s.Out)
			if !r.Specs[s.Node].Repeats {
				made = append(made, s.Saved...)
			}
			for _, v := range made {
				value := r.Values[v]
				value.Name += "/again"
				copies[v] = len(plan.Values)
				plan.Values = append(plan.Values, value)
			}
			s.Out, s.Saved = current(s.Out), current(s.Saved)
			p.scratch(&s)
			q.again[len(plan.Steps)] = f
			plan.Steps = append(plan.Steps, s)
		}
	}
	for _, s := range r.Steps[len(again):] {
		need := r.Specs[s.Node].Backward
		if need&layers.NeedInputs != 0 { // otherwise shapes alone are read
			ensure(s.In)
			s.In = current(s.In)
		}
		if need&layers.NeedOutputs != 0 {
			ensure(s.Out)
			s.Out = current(s.Out)
		}
		ensure(s.Saved)
		s.Saved = current(s.Saved)
		plan.Steps = append(plan.Steps, s)
	}
	p.lifetimes()
	p.shareInPlace()
	return q
}

// live is the most bytes that are alive in one step.
func (p *planner) live() int64 {
	list, _ := p.spans()
	change := make([]int64, len(p.Steps)+3) // step -1 is the first
	for _, s := range list {
		change[s.first+1] += s.bytes
		change[s.last+2] -= s.bytes
	}
	var now, most int64
	for _, c := range change {
		now += c
		most = max(most, now)
	}
	return most
}

// checkMemory checks Options.Memory.
func (o PlanOptions) checkMemory() error {
	switch {
	case o.Memory < 0:
		return fmt.Errorf("a limit of %d bytes: it must be positive, or 0 for none", o.Memory)
	case o.Memory > 0 && o.Mode != Train:
		return errors.New("a limit of memory is for training: inference keeps nothing for backward")
	case o.Memory > 0 && o.Unshared:
		return errors.New("a limit of memory is not for a plan in which every value has its own")
	}
	return nil
}
