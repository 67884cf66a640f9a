package solver_test

import (
	"context"
	"fmt"
	"log"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	_ "github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/models"
	"github.com/hubel-go/hubel/solver"
)

// A network from layers, trained and tested on images made on the spot.
func Example() {
	cpu, err := device.Open("cpu", device.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer cpu.Close()
	train, test, err := data.Open("synthetic", data.OpenOptions{Synthetic: data.SyntheticOptions{Train: 640, Test: 100}})
	if err != nil {
		log.Fatal(err)
	}

	net := &graph.Network{Name: "small"}
	image, label := net.Image("data", 1, 28, 28), net.Label("label")
	x := net.Add("conv1", &layers.Conv{Filters: 8, Kernel: layers.Square(5)}, image)
	x = net.Add("relu1", &layers.Unary{Op: device.ReLU}, x)
	x = net.Add("pool1", &layers.Pool{Window: layers.Square(2), Stride: layers.Square(2)}, x)
	x = net.Add("scores", &layers.Dense{Out: 10}, x)
	net.Add("loss", &layers.SoftmaxLoss{}, x, label)
	net.Metric(net.Add("accuracy", &layers.Accuracy{}, x, label), graph.Higher)
	net.Outputs = []string{net.Add("prob", &layers.Softmax{}, x)}

	result, err := solver.Train(context.Background(), solver.Config{
		Network: net, Device: cpu, Train: train, Test: test,
		Preprocess: data.Preprocess{Scale: 1. / 256},
		Optimiser:  solver.Optimiser{Schedule: solver.Schedule{Policy: "cosine", Rate: 0.02}, Momentum: 0.9, Decay: 5e-4},
		Batch:      32, Accumulate: 1, Iterations: solver.Iterations(3, train.Len(), 32), Seed: 1,
	})
	if err != nil {
		log.Fatal(err)
	}
	accuracy, _ := result.Test.Metrics.Get("accuracy")
	fmt.Printf("accuracy above 90 %%: %v\n", accuracy > 0.9)
	// Output: accuracy above 90 %: true
}

// What is told of a run, to whoever watches it.
func ExampleObserver() {
	cpu, err := device.Open("cpu", device.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer cpu.Close()
	train, test, err := data.Open("synthetic", data.OpenOptions{Synthetic: data.SyntheticOptions{Train: 64, Test: 16}})
	if err != nil {
		log.Fatal(err)
	}
	net, err := models.Build("lenet", models.Options{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = solver.Train(context.Background(), solver.Config{
		Network: net, Device: cpu, Train: train, Test: test,
		Preprocess: data.Preprocess{Scale: 1. / 256},
		Optimiser:  solver.Optimiser{Schedule: solver.Schedule{Policy: "fixed", Rate: 0.01}, Momentum: 0.9},
		Batch:      32, Accumulate: 1, Iterations: 4, Seed: 1,
		Observers: []solver.Observer{solver.ObserverFunc(func(e solver.Event) error {
			switch e := e.(type) {
			case solver.Started:
				fmt.Println(e.Network, "on", e.Samples, "images")
			case solver.Test:
				fmt.Println("epoch", e.Epoch, "tested on", e.Samples)
			case solver.Ended:
				fmt.Println(e.Reason, "after", e.Iteration)
			}
			return nil
		})},
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// lenet on 64 images
	// epoch 1 tested on 16
	// epoch 2 tested on 16
	// done after 4
}
