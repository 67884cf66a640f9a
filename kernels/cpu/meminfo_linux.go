package cpu

import (
	"errors"
	"os"
	"path"
	"strconv"
	"strings"
)

// MemInfo is what /proc/meminfo has available, or what is left of the limit
// of the control group the process lives in, where that is less.
func (d *Device) MemInfo() (free, total int64, err error) { return memInfo(os.ReadFile) }

func memInfo(file func(string) ([]byte, error)) (free, total int64, err error) {
	b, err := file("/proc/meminfo")
	if err != nil {
		return 0, 0, err
	}
	free, total = meminfoField(string(b), "MemAvailable:"), meminfoField(string(b), "MemTotal:")
	if free < 0 || total < 0 {
		return 0, 0, errors.New("cpu: /proc/meminfo names no MemAvailable and MemTotal")
	}
	groups, err := file("/proc/self/cgroup")
	if err != nil { // a kernel without control groups
		return free, total, nil
	}
	for _, g := range memoryGroups(string(groups)) {
		if limit, used, ok := g.read(file); ok {
			free, total = min(free, max(limit-used, 0)), min(total, limit)
		}
	}
	return free, total, nil
}

// meminfoField is a field of /proc/meminfo in bytes, or -1.
func meminfoField(meminfo, name string) int64 {
	for line := range strings.Lines(meminfo) {
		f := strings.Fields(line)
		if len(f) >= 2 && f[0] == name {
			if kib, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				return kib << 10
			}
		}
	}
	return -1
}

// memoryGroup is a control group that may limit memory: the names of its
// files, which differ between versions 1 and 2.
type memoryGroup struct{ dir, limit, usage, inactive string }

// memoryGroups lists the groups named in /proc/self/cgroup and their parents,
// whose limits hold too. Inside a container the named path may not exist; its
// root then does.
func memoryGroups(self string) []memoryGroup {
	var groups []memoryGroup
	for line := range strings.Lines(self) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		root, g := "", memoryGroup{}
		switch {
		case f[0] == "0" && f[1] == "":
			root, g = "/sys/fs/cgroup", memoryGroup{limit: "memory.max", usage: "memory.current", inactive: "inactive_file"}
		case f[1] == "memory":
			root, g = "/sys/fs/cgroup/memory", memoryGroup{limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes", inactive: "total_inactive_file"}
		default:
			continue
		}
		for p := path.Clean("/" + f[2]); ; p = path.Dir(p) {
			g.dir = path.Join(root, p)
			groups = append(groups, g)
			if p == "/" {
				break
			}
		}
	}
	return groups
}

// read returns the limit and the memory in use that cannot be reclaimed, or
// false where there is no limit.
func (g memoryGroup) read(file func(string) ([]byte, error)) (limit, used int64, ok bool) {
	number := func(name string) (int64, error) {
		b, err := file(path.Join(g.dir, name))
		if err != nil {
			return 0, err
		}
		return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	}
	limit, err := number(g.limit) // "max" is no number
	if err != nil {
		return 0, 0, false
	}
	used, err = number(g.usage)
	if err != nil {
		return 0, 0, false
	}
	stat, err := file(path.Join(g.dir, "memory.stat"))
	if err == nil {
		for line := range strings.Lines(string(stat)) {
			if f := strings.Fields(line); len(f) == 2 && f[0] == g.inactive {
				if n, err := strconv.ParseInt(f[1], 10, 64); err == nil {
					used -= n // cached files, dropped when memory is wanted
				}
			}
		}
	}
	return limit, used, true
}
