package lecture

import (
	"context"
	"fmt"

	"github.com/hubel-go/hubel/data"
)

// unequal is a data set in which every tenth image has class 1 and the others class 0.
type unequal struct{ data.Dataset }

func (unequal) Label(i int) (int32, bool) {
	if i%10 == 0 {
		return 1, true
	}
	return 0, true
}

func (u unequal) Read(dst []float32, i int) (int32, error) {
	_, err := u.Dataset.Read(dst, i)
	label, _ := u.Label(i)
	return label, err
}

func Example_balance() {
	images, _, err := data.NewSynthetic(data.SyntheticOptions{Classes: 2, Train: 100, Test: 1})
	check(err)
	for _, balance := range []bool{false, true} {
		o := data.LoaderOptions{Batch: 100, Shuffle: true, Balance: balance, Seed: 1}
		loader := must(data.NewLoader(context.Background(), unequal{images}, o))
		counts := map[int32]int{}
		for _, label := range must(loader.Next()).Labels.Data().([]int32) {
			counts[label]++
		}
		loader.Close()
		fmt.Printf("balance %v: %d images of class 0 in an epoch, %d of class 1\n", balance, counts[0], counts[1])
	}
	// Output:
	// balance false: 90 images of class 0 in an epoch, 10 of class 1
	// balance true: 50 images of class 0 in an epoch, 50 of class 1
}

func Example_mixup() {
	images, _, err := data.NewSynthetic(data.SyntheticOptions{Classes: 4, Train: 8, Test: 1})
	check(err)
	mixup := must(data.ParseAugment("mixup=1"))
	_, mixed, err := data.Augmented(images, mixup, nil)
	check(err)
	o := data.LoaderOptions{Batch: 4, Shuffle: true, Seed: 1, OneHot: true, Preprocess: data.Preprocess{Augment: mixup, Scale: 1}}
	loader := must(data.NewLoader(context.Background(), mixed, o))
	defer loader.Close()
	show(must(loader.Next()).Targets) // the share of each class in four images
	// Output:
	// 0        0.9453   0        0.05473
	// 0        0.4799   0        0.5201
	// 0.2621   0.7379   0        0
	// 0.7078   0        0        0.2922
}
