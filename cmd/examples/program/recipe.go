package program

import "fmt"

// recipe trains a small residual network for five epochs, by the rules of Imagenette's
// public board: random weights at the start, 128x128 pixels, one crop of each picture in
// the test, and the accuracy after the last epoch. Network and tricks are those of He et
// al. 2019, "Bag of tricks for image classification with convolutional neural networks",
// beside AlexNet's of 2012.
func recipe(s *study) error {
	flags := []string{
		"-model", "xresnet18-half", "-data", s.data, "-val", s.val,
		"-augment", "rrcrop=128:0.35..1,flip", "-preprocess", "mean,std",
		"-epochs", fmt.Sprint(s.epochsOr(5)), "-batch", "32",
		"-nesterov", "-lr", "0.1", "-lr-policy", "cosine", "-warmup", "100",
	}
	rows, err := s.trainAll(training{name: "xresnet18-half", flags: flags})
	if err != nil {
		return err
	}
	return s.table(rows, accuracyColumn(), lossColumn())
}
