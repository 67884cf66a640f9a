package cpu

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMemInfo(t *testing.T) {
	free, total, err := (&Device{}).MemInfo()
	require.NoError(t, err)
	require.Positive(t, free)
	require.GreaterOrEqual(t, total, free)
}

func TestMeminfoField(t *testing.T) {
	const meminfo = "MemTotal:       24684084 kB\nMemAvailable:   24362500 kB\n"
	require.EqualValues(t, 24362500<<10, meminfoField(meminfo, "MemAvailable:"))
	require.EqualValues(t, -1, meminfoField(meminfo, "MemLost:"))
}

func TestMemoryGroups(t *testing.T) {
	files := map[string]string{
		"/sys/fs/cgroup/memory.max":                       "max\n",
		"/sys/fs/cgroup/a/memory.max":                     "1000\n",
		"/sys/fs/cgroup/a/memory.current":                 "600\n",
		"/sys/fs/cgroup/a/memory.stat":                    "anon 500\ninactive_file 100\n",
		"/sys/fs/cgroup/memory/job/memory.limit_in_bytes": "2000\n",
		"/sys/fs/cgroup/memory/job/memory.usage_in_bytes": "300\n",
		"/sys/fs/cgroup/memory/job/memory.stat":           "inactive_file 7\ntotal_inactive_file 50\n",
		"/sys/fs/cgroup/memory/memory.limit_in_bytes":     "9223372036854771712\n",
		"/sys/fs/cgroup/memory/memory.usage_in_bytes":     "5\n",
	}
	read := func(name string) ([]byte, error) {
		if s, ok := files[name]; ok {
			return []byte(s), nil
		}
		return nil, os.ErrNotExist
	}
	type limit struct{ limit, used int64 }
	var got []limit
	for _, g := range memoryGroups("5:cpu:/x\n4:memory:/job\n0::/a/b\n") {
		if l, u, ok := g.read(read); ok {
			got = append(got, limit{l, u})
		}
	}
	require.Equal(t, []limit{{2000, 250}, {9223372036854771712, 5}, {1000, 500}}, got)
}
