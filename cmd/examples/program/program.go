// Package program is the command examples: the experiments of the lecture. An experiment
// is a list of trainings, each a call of the command train that is printed, so that
// anybody can repeat it or change it. An example is one file here.
package program

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"

	"github.com/hubel-go/hubel/internal/command"
)

// example is one experiment.
type example struct {
	name, what string
	flags      []string // that it takes, beside onEach
	needs      []string // of them, those that must be there
	seeds      int      // unless -seeds says otherwise
	run        func(s *study) error
}

// onEach are the flags that every example takes.
var onEach = []string{"out", "seeds", "epochs"}

// examples lists them.
func examples() []example {
	return []example{
		{"faces", "facial keypoints: net1 to net5, which differ in depth, flips and schedules", []string{"data"}, []string{"data"}, 1, faces},
		{"recipe", "photographs in five epochs: a small residual network by the bag of tricks", []string{"data", "val"}, []string{"data", "val"}, 3, recipe},
		{"transfer", "from some classes of photographs to others with a few pictures: four ways, and from random weights", []string{"data", "val"}, []string{"data", "val"}, 3, transfer},
		{"ablation", "a small AlexNet without ReLUs, LRN, overlapping pooling, dropout or augmentation", []string{"data", "val"}, nil, 3, ablation},
		{"lenet5", "LeNet-5 on MNIST and Fashion-MNIST", nil, nil, 3, lenet5},
		{"tiny-vgg", "a small VGG on CIFAR-10 or, without -data, Fashion-MNIST, and its gradients at an epoch", []string{"data", "at"}, nil, 1, tinyVGG},
	}
}

// Main runs the command examples with the arguments of the process, and ends the process.
func Main() {
	command.MainLasting("examples", func(ctx context.Context, stdout, stderr io.Writer) int {
		return run(ctx, os.Args[1:], stdout, stderr)
	})
}

// run is the whole program. It returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		usage(stdout, new(options).flagSet())
		return command.Done
	}
	if err == nil {
		err = o.example.run(&study{options: o, ctx: ctx, stdout: stdout, stderr: stderr})
	}
	return command.Exit(ctx, stderr, "examples", err, false)
}
