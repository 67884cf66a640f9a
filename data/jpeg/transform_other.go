//go:build !amd64 || purego

package jpeg

func inverse8(dst []uint8, stride int, c *[64]int16, multipliers *[64]float32) {
	inverse8Go(dst, stride, c, multipliers)
}

func inverse4(dst []uint8, stride int, c *[64]int16, multipliers *[64]float32) {
	inverse4Go(dst, stride, c, multipliers)
}
