package program

import (
	"flag"
	"fmt"
	"io"

	"github.com/hubel-go/hubel/internal/command"
)

const usageHead = `train trains a convolutional network, continues a run, evaluates weights,
describes a network, or repeats an update that went wrong.

  train -model NAME|-net FILE -data SET [flags]
  train -resume FOLDER [flags]
  train -eval -weights FILE -data SET [flags]
  train -summary -model NAME|-net FILE [flags]
  train -replay FILE [flags]
  train -preview N out.png -data SET [-augment STEPS] [-preprocess WORDS]
  train -lr-find out.png -model NAME|-net FILE -data SET [flags]
  train -check -model NAME|-net FILE -data SET [flags]
  train -devices
`

const usageFoot = `
A run's folder
  weights.safetensors     the weights, with the network and the preprocessing
  best.safetensors        the weights of the best test
  average.safetensors     with -ema or -swa, the averages of the weights
  checkpoint.safetensors  all that -resume needs; checkpoint-previous is the one
                          before it, in case the last is damaged
  log.jsonl               one line per logged iteration
  curve.png, filters.png  the loss and the accuracy, and the first filters
  confusion.png and .csv  the confusion matrix of the last test
  debug.jsonl             with -debug, statistics of every layer
  monitor.jsonl and .png  with -monitor, histograms of every layer over time
  log.csv                 with -log-csv, the log as a table
  events.out.tfevents.*   with -tensorboard; tensorboard --logdir runs shows them
  filters.jsonl           with -live or -monitor, the first filters over time
  answers.json            the same: what the last test answered to which samples
  machine.json            the same: the machine that trained
  diverged.safetensors    if the loss was not finite, for -replay
  run.lock                locked while a process trains there

Examples
  train -model lenet -data mnist
  train -model lenet5 -data fashion-mnist -epochs 10 -lr-policy cosine -out runs/fashion
  train -resume runs/fashion -epochs 20
  train -model lenet -data mnist -optimiser adamw -lr-policy cosine -warmup 100
  train -model lenet -data mnist -lr-policy plateau -gamma 0.1 -step 2 -patience 5
  train -model lenet -data fashion-mnist -weights w.safetensors -fresh ip2 -frozen conv1
  train -eval -weights runs/fashion/weights.safetensors -data fashion-mnist
  train -model alexnet -summary -batch 128 -memory 8GiB
  train -model alexnet -data synthetic:64,8 -batch 8 -iters 5
  train -model alexnet -data photos -split 0.1 -batch 128 -epochs 60
  train -data photos.tar -augment resize=256,crop=227,flip,pca=0.1 -preview 24 out.png

Ctrl-C saves a checkpoint and ends; a second one ends at once. A closed terminal
(SIGHUP) and SIGTERM save too. With -resume a run continues, also if it was killed.
Exit code: 0 done; 1 a run, a test or a check failed; 2 the flags or the files that
they name are wrong (nothing is written then); 130 stopped by Ctrl-C, and saved.
`

// usage writes the help.
func usage(w io.Writer, f *flag.FlagSet) {
	fmt.Fprint(w, usageHead)
	for _, g := range groups {
		fmt.Fprintf(w, "\n%s\n", g.title)
		for _, e := range g.entries {
			command.Explain(w, f.Lookup(e.name))
		}
	}
	fmt.Fprint(w, usageFoot)
}
