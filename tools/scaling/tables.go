package main

import (
	"fmt"
	"math"
	"strings"
)

// Of a card: how long it takes for a training step of AlexNet on a batch of 128, as
// docs/kernels.md predicts it, how many bytes it copies in a second, and how much faster its
// memory is than what a sum of gradients takes of it.
const (
	card          = "H100 in TF32"
	cardStep      = 4.85e-3
	cardBatch     = 128
	cardMemory    = 3.35e12 // bytes per second
	addTraffic    = 3       // values read and written for each that is added
	updateTraffic = 5       // and for each that momentum updates
)

// Rates of what is sold, and latencies that are usual for it: 15 µs for TCP on Ethernet,
// and a few µs where the card's engine writes into another's memory.
var links = []Link{
	ethernet(10), ethernet(25), ethernet(100),
	{Name: "InfiniBand NDR, 400 Gb/s", Latency: 4e-6, Bandwidth: 400e9 / 8 * 0.93, Duplex: 1, Add: cardMemory / addTraffic},
	{Name: "NVLink 4, 450 GB/s", Latency: 2.5e-6, Bandwidth: 450e9 * 0.8, Duplex: 1, Add: cardMemory / addTraffic, Largest: 8},
}

// ethernet is one of so many Gb/s, of which headers of frames of 1,500 bytes take 6 %.
func ethernet(gigabits float64) Link {
	return Link{Name: fmt.Sprintf("Ethernet, %g Gb/s", gigabits), Latency: 15e-6, Bandwidth: gigabits * 1e9 / 8 * 0.94, Duplex: 1, Add: cardMemory / addTraffic}
}

var rankCounts = []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}

// predictions are the tables of networks on cards that one can buy.
func predictions() (string, error) {
	alexnet, err := network("alexnet")
	if err != nil {
		return "", err
	}
	resnet, err := network("resnet50")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, c := range []struct {
		network Network
		batch   int
	}{{alexnet, cardBatch}, {resnet, 64}} {
		// The card is taken to be as good at every network as at AlexNet.
		compute := cardStep * c.network.FLOPs * float64(c.batch) / (alexnet.FLOPs * cardBatch)
		run := Run{
			Buckets: c.network.Buckets, Compute: compute,
			Update: c.network.Bytes * updateTraffic / cardMemory, Engine: Ring,
		}
		fmt.Fprintf(&b, "%s, a batch of %d on each rank: %s MB of gradients in %d buckets, %s of computing (%s, predicted).\n",
			c.network.Name, c.batch, number(c.network.Bytes/1e6), len(c.network.Buckets), duration(compute), card)
		fmt.Fprintf(&b, "Images per second (predicted), and the share of linear scaling:\n\n| ranks |")
		for _, l := range links {
			fmt.Fprintf(&b, " %s |", l.Name)
		}
		b.WriteString("\n|---:|" + strings.Repeat("---:|", len(links)) + "\n")
		for _, n := range rankCounts {
			fmt.Fprintf(&b, "| %d |", n)
			for _, l := range links {
				if l.Largest > 0 && n > l.Largest {
					b.WriteString(" |")
					continue
				}
				run.Ranks, run.Link = n, l
				s := run.Time()
				fmt.Fprintf(&b, " %s, %.0f %% |", number(float64(n*c.batch)/s.Seconds), 100*s.Efficiency(run))
			}
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "\nThe same with `-zero`, of 8 and 64 ranks, and the bytes that a rank keeps for momentum:\n\n| ranks | bytes |")
		for _, l := range links {
			fmt.Fprintf(&b, " %s |", l.Name)
		}
		b.WriteString("\n|---:|---:|" + strings.Repeat("---:|", len(links)) + "\n")
		for _, n := range []int{8, 64} {
			fmt.Fprintf(&b, "| %d | %s MB |", n, number(c.network.Bytes/1e6/float64(n)))
			for _, l := range links {
				if l.Largest > 0 && n > l.Largest {
					b.WriteString(" |")
					continue
				}
				sharded := run
				sharded.Ranks, sharded.Link, sharded.Sharded = n, l, true
				s := sharded.Time()
				fmt.Fprintf(&b, " %s, %.0f %% |", number(float64(n*c.batch)/s.Seconds), 100*s.Efficiency(sharded))
			}
			b.WriteString("\n")
		}
		b.WriteString("\n")
	}
	return strings.TrimRight(b.String(), "\n"), nil
}

// number writes three digits that count.
func number(x float64) string {
	if x >= 999.5 {
		digits := math.Pow(10, math.Floor(math.Log10(x))-2)
		text := fmt.Sprintf("%.0f", math.Round(x/digits)*digits)
		for i := len(text) - 3; i > 0; i -= 3 {
			text = text[:i] + "," + text[i:]
		}
		return text
	}
	return fmt.Sprintf("%.3g", x)
}

// duration writes a time.
func duration(seconds float64) string {
	switch {
	case seconds >= 1:
		return number(seconds) + " s"
	case seconds >= 1e-3:
		return number(seconds*1e3) + " ms"
	}
	return number(seconds*1e6) + " µs"
}
