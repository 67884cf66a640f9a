package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// key is what a measurement is of.
type key struct {
	link    string
	ranks   int
	what    string
	network string
	sharded bool
	bytes   int
}

func keyOf(m Measured) key { return key{m.Link, m.Ranks, m.What, m.Network, m.Sharded, m.Bytes} }

// alone is the link of processes that exchange nothing.
const alone = "alone"

// The sizes that terms are taken from: of the smallest messages, and the slope between
// two large ones.
var (
	smallest = sizes[0]
	large    = sizes[len(sizes)-2]
	largest  = sizes[len(sizes)-1]
)

// fit takes the terms of a link from what two ranks have measured: the latency and the
// bandwidth, which includes the adding, from all-reduces, whose bytes go first one way and
// then the other; what it costs that bytes go both ways from all-gathers.
func fit(table map[key]float64, link string) (l Link, err error) {
	at := func(what string, bytes int) float64 {
		seconds := table[key{link: link, ranks: 2, what: what, bytes: bytes}]
		if seconds == 0 && err == nil {
			err = fmt.Errorf("there is no %s of %d bytes on 2 ranks and the link %s", what, bytes, link)
		}
		return seconds
	}
	slope := func(what string) float64 { return (at(what, largest) - at(what, large)) / float64(largest-large) }
	small, gather, reduce := at(allReduce, smallest), slope(allGather), slope(allReduce)
	if err != nil {
		return l, err
	}
	if !(gather > 0 && reduce > 0) {
		return l, fmt.Errorf("on the link %s more bytes take no more time", link)
	}
	send := reduce / 2
	return Link{
		Name: link, Latency: max(small-reduce*float64(smallest), 0) / 2, Bandwidth: 1 / send,
		Add: math.Inf(1), Duplex: min(max(gather/(send/2), 1), 2),
	}, nil
}

// comparison is tables of what was measured and what the model says.
func comparison(all []Measured) (string, error) {
	table := map[key]float64{}
	var names []string
	cores := 1
	for _, m := range all {
		if _, ok := table[keyOf(m)]; ok {
			return "", fmt.Errorf("measured twice: %+v", m)
		}
		table[keyOf(m)] = m.Seconds
		if m.Cores > 0 {
			cores = m.Cores
		}
		if m.Link != alone && !slices.Contains(names, m.Link) {
			names = append(names, m.Link)
		}
	}
	fitted := map[string]Link{}
	var b strings.Builder
	b.WriteString("Terms, from two ranks:\n\n| link | latency | bandwidth | both ways |\n|---|---:|---:|---:|\n")
	for _, name := range names {
		l, err := fit(table, name)
		if err != nil {
			return "", err
		}
		fitted[name] = l
		fmt.Fprintf(&b, "| %s | %s | %s MB/s | x %.2f |\n", name, duration(l.Latency), number(l.Bandwidth/1e6), l.Duplex)
	}
	b.WriteString("\nOperations alone. Those that the terms are from are in brackets:\n\n| link | ranks | operation | bytes | measured | model | error |\n|---|---:|---|---:|---:|---:|---:|\n")
	for _, m := range all {
		l := fitted[m.Link]
		var c Cost
		switch m.What {
		case allReduce:
			c = l.AllReduce(Tree, m.Ranks, float64(m.Bytes))
		case reduceScatter:
			c = l.ReduceScatter(Tree, m.Ranks, float64(m.Bytes))
		case allGather:
			c = l.AllGather(Tree, m.Ranks, float64(m.Bytes))
		default:
			continue
		}
		off := deviation(c.Alone, m.Seconds)
		if m.Ranks == 2 && m.What != reduceScatter && (m.Bytes == largest || m.Bytes == large || m.Bytes == smallest && m.What == allReduce) {
			off = "(" + off + ")"
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %s | %s | %s |\n", m.Link, m.Ranks, m.What, number(float64(m.Bytes)), duration(m.Seconds), duration(c.Alone), off)
	}
	b.WriteString("\nSteps of training. The computing is that of as many processes at a time that exchange nothing:\n\n| network, batch | link | ranks | computing | measured | model | error |\n|---|---|---:|---:|---:|---:|---:|\n")
	networks := map[string]Network{}
	for _, m := range all {
		if m.What != training || m.Link == alone {
			continue
		}
		compute := table[key{link: alone, ranks: m.Ranks, what: training, network: m.Network}]
		if compute == 0 {
			return "", fmt.Errorf("there is no time of %s on %d processes alone", m.Network, m.Ranks)
		}
		if _, ok := networks[m.Network]; !ok {
			n, err := network(m.Network)
			if err != nil {
				return "", err
			}
			networks[m.Network] = n
		}
		n := networks[m.Network]
		l := fitted[m.Link]
		run := Run{
			Buckets: n.Buckets, Ranks: m.Ranks, Compute: compute, Link: l, Engine: Tree, Sharded: m.Sharded,
			CPU: cpuOf(fitted, m.Ranks, cores),
		}
		zero := ""
		if m.Sharded {
			zero = " `-zero`"
		}
		s := run.Time()
		fmt.Fprintf(&b, "| %s, %d%s | %s | %d | %s | %s | %s | %s |\n", m.Network, m.Batch, zero, m.Link, m.Ranks, duration(compute), duration(m.Seconds), duration(s.Seconds), deviation(s.Seconds, m.Seconds))
	}
	return strings.TrimRight(b.String(), "\n"), nil
}

// unlimited is the link whose rate nothing limits: there the cores that copy do.
const unlimited = "none"

// cpuOf is the seconds that a byte takes which is sent or received, of the core of a rank.
// Without a limit the sender's core and the receiver's copy all the time. Where there are
// more ranks than cores, a core does so for several.
func cpuOf(fitted map[string]Link, ranks, cores int) float64 {
	l, ok := fitted[unlimited]
	if !ok {
		return 0
	}
	return max(float64(ranks)/float64(cores), 1) / l.Bandwidth
}

// deviation is how far a prediction is from what was measured.
func deviation(predicted, measured float64) string {
	return fmt.Sprintf("%+.0f %%", 100*(predicted/measured-1))
}
