//go:build arm64 && !purego

package vec

func init() { paths = append(paths, &NEON) }
