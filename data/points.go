package data

// Points is a Regression whose targets are points of the image: x and y in turn,
// from -1, the left and the upper edge, to 1, the right and the lower one. A
// point that is not known is NaN.
type Points interface {
	Regression

	// Mirrored is which point, of Targets/2, each becomes when the image is
	// mirrored left and right: the left eye becomes the right one. The caller
	// must not change it.
	Mirrored() []int
}
