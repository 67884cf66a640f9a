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

// What is free is the least that the machine and any group leave, and never less
// than nothing; the total is the least limit.
func TestMemInfoOfGroups(t *testing.T) {
	const group = "/sys/fs/cgroup/job/memory."
	for _, c := range []struct {
		limit, used string
		free, total int64
	}{
		{"", "", 3 << 20, 4 << 20}, // no groups
		{"max", "0", 3 << 20, 4 << 20},
		{"2097152", "97152", 2000000, 2 << 20},
		{"4000000", "3000000", 1000000, 4000000},
		{"2097152", "2097153", 0, 2 << 20},
		{"9000000", "0", 3 << 20, 4 << 20}, // more than there is
	} {
		files := map[string]string{"/proc/meminfo": "MemTotal: 4096 kB\nMemAvailable: 3072 kB\n"}
		if c.limit != "" {
			files["/proc/self/cgroup"] = "0::/job\n"
			files[group+"max"], files[group+"current"] = c.limit+"\n", c.used+"\n"
		}
		free, total, err := memInfo(reader(files))
		require.NoError(t, err)
		require.Equal(t, [2]int64{c.free, c.total}, [2]int64{free, total}, "%+v", c)
	}
	_, _, err := memInfo(reader(nil))
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, meminfo := range []string{"MemTotal: 4096 kB\n", "MemAvailable: 3072 kB\n"} {
		_, _, err = memInfo(reader(map[string]string{"/proc/meminfo": meminfo}))
		require.ErrorContains(t, err, "names no MemAvailable and MemTotal")
	}
}

// reader reads files that are not there.
func reader(files map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if s, ok := files[name]; ok {
			return []byte(s), nil
		}
		return nil, os.ErrNotExist
	}
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
	read := reader(files)
	type limit struct{ limit, used int64 }
	var got []limit
	for _, g := range memoryGroups("5:cpu:/x\n4:memory:/job\n0::/a/b\n") {
		if l, u, ok := g.read(read); ok {
			got = append(got, limit{l, u})
		}
	}
	require.Equal(t, []limit{{2000, 250}, {9223372036854771712, 5}, {1000, 500}}, got)
}
