//go:build !race

package solver

// raceDetector is whether the tests run under the race detector.
const raceDetector = false
