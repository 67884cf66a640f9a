//go:build (!amd64 && !arm64) || purego

package roof

func loopOf(string) func(steps int) { return scalar }
