package ptxsim

import (
	"errors"
	"fmt"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// Config is what kind of device the simulator is.
type Config struct {
	// Capability is the compute capability, 80 for sm_80, which is the
	// default.
	Capability int

	// SMs is the number of multiprocessors that Properties reports; 80 by
	// default. What launchers choose by it is the same on every machine.
	SMs int

	// Unchecked turns off the checks that need memory and time: races, and
	// reads of memory that was never written. Addresses, alignment and
	// barriers are always checked.
	Unchecked bool

	// Rough makes ex2, lg2, rcp, sqrt and rsqrt .approx err by 2^-22 of the
	// result, up or down as the operand's bits will have it, and lg2 between 1/2
	// and 2 by 2^-22. The PTX manual allows no more for any of them, and hardware
	// errs less.
	Rough bool

	// Workers is the number of blocks that run at a time; GOMAXPROCS by
	// default.
	Workers int

	// Memory is the size of device memory in bytes; 64 GiB by default, of
	// which only what is allocated takes room. Checks take twice as much
	// again.
	Memory int64

	// MaxInstructions is how many instructions a warp may run before it
	// counts as an endless loop; 2^32 by default.
	MaxInstructions int64

	// Sample is how many blocks of a launch run at most, spread evenly over
	// the grid; 0 for all. It is for counting what large launches do: their
	// results are not complete, so that it turns on Unchecked.
	Sample int

	// OnLaunch is called after every launch.
	OnLaunch func(Report)

	// OnExchange is called before the device, number rank of its group, makes calls of
	// driver.Comm.
	OnExchange func(rank int, calls []driver.Call)
}

// Report is what a launch did.
type Report struct {
	Kernel   string
	Config   driver.Config
	Elapsed  time.Duration // of the simulation
	Counters               // of the blocks that ran: all, or Config.Sample
}

// Sim is a simulated device.
type Sim struct {
	config  Config
	mu      sync.Mutex
	live    []*allocation // sorted by address; replaced, never changed
	freed   []*allocation
	next    uint64
	used    int64
	stamp   uint32
	launch  launch
	workers []*block

	// Goroutines that run blocks beside the one that launches, started when
	// a launch first needs them and ended by Close.
	tasks   chan *block
	started int
	closed  bool
}

// errClosed is the error of what is asked of a simulator after Close.
var errClosed = errors.New("ptxsim: the device is closed")

var _ driver.Driver = (*Sim)(nil)

// New makes a device.
func New(c Config) *Sim {
	if c.Capability == 0 {
		c.Capability = 80
	}
	if c.SMs == 0 {
		c.SMs = 80
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.Memory == 0 {
		c.Memory = 64 << 30
	}
	if c.MaxInstructions == 0 {
		c.MaxInstructions = 1 << 32
	}
	if c.Sample > 0 {
		c.Unchecked = true
	}
	return &Sim{config: c, next: globalBase + 1<<20, stamp: firstStamp}
}

// firstStamp follows the stamp of the host's writes.
const firstStamp = initialised>>4 + 1

// Properties describes a device with the shared memory of its capability.
func (s *Sim) Properties() driver.Properties {
	optin := map[int]int{70: 96, 72: 96, 75: 64, 80: 163, 86: 99, 87: 163, 89: 99, 90: 227}[s.config.Capability]
	return driver.Properties{
		Name: "ptxsim", Major: s.config.Capability / 10, Minor: s.config.Capability % 10,
		SMs: s.config.SMs, TotalMem: s.config.Memory,
		SharedPerBlock: 48 << 10, SharedOptin: max(optin, 48) << 10, MaxThreads: 1024,
	}
}

// Workers is the number of blocks that run at a time.
func (s *Sim) Workers() int { return s.config.Workers }

// MemInfo returns what is left of Config.Memory.
func (s *Sim) MemInfo() (free, total int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config.Memory - s.used, s.config.Memory, nil
}

// Alloc makes an allocation far from the others.
func (s *Sim) Alloc(name string, bytes int64) (driver.Ptr, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	al, err := s.alloc(name, bytes, 0)
	if err != nil {
		return 0, err
	}
	return driver.Ptr(al.base), nil
}

// alloc makes an allocation so many bytes after a multiple of 256.
func (s *Sim) alloc(name string, bytes int64, offset uint64) (*allocation, error) {
	if s.closed {
		return nil, errClosed
	}
	if bytes <= 0 {
		return nil, fmt.Errorf("ptxsim: allocation %s of %d bytes: must be positive", name, bytes)
	}
	if s.used+bytes > s.config.Memory {
		return nil, fmt.Errorf("ptxsim: out of memory: allocation %s of %d bytes, %d of %d are free", name, bytes, s.config.Memory-s.used, s.config.Memory)
	}
	al := newAllocation(name, s.next+offset, bytes, !s.config.Unchecked)
	s.next += uint64(align(int64(offset)+bytes+guardBytes, alignment))
	s.used += bytes
	s.live = append(append([]*allocation{}, s.live...), al)
	return al, nil
}

// Free gives back an allocation. Its address is never used again.
func (s *Sim) Free(p driver.Ptr) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed { // it went with the device
		return nil
	}
	for i, al := range s.live {
		if al.base == uint64(p) {
			s.live = append(append([]*allocation{}, s.live[:i]...), s.live[i+1:]...)
			s.used -= al.size
			// What is kept says whose an address was.
			s.freed = append(s.freed, &allocation{name: al.name, base: al.base, size: al.size})
			sort.Slice(s.freed, func(i, j int) bool { return s.freed[i].base < s.freed[j].base })
			return nil
		}
	}
	if al := find(s.freed, uint64(p)); al != nil {
		return fmt.Errorf("ptxsim: free of %s, which is freed", al)
	}
	return fmt.Errorf("ptxsim: free of %#x, which is not the address of an allocation", uint64(p))
}

// Forget makes the whole words in a span count as never written: a kernel that
// reads them is at fault.
func (s *Sim) Forget(p driver.Ptr, bytes int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	al, at, err := s.span(p, bytes)
	if err != nil || al.cells == nil {
		return err
	}
	for i := (at + 3) / 4; 4*i+4 <= at+bytes; i++ {
		al.cells[i].written = 0
	}
	return nil
}

// HostAlloc returns memory of the Go heap: all host memory is alike here.
func (s *Sim) HostAlloc(bytes int64) ([]byte, error) {
	if bytes <= 0 || bytes > s.config.Memory {
		return nil, fmt.Errorf("ptxsim: host memory of %d bytes: must be positive and at most %d", bytes, s.config.Memory)
	}
	words := make([]uint64, (bytes+7)/8) // words, for the alignment of every element type
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), bytes), nil
}

// HostFree leaves the memory to the garbage collector.
func (s *Sim) HostFree([]byte) error { return nil }

// Close drops all memory and ends the goroutines.
func (s *Sim) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live, s.freed, s.used, s.closed = nil, nil, 0, true
	if s.tasks != nil {
		close(s.tasks)
		s.tasks, s.started = nil, 0
	}
	return nil
}

// span finds the bytes of an access from the host.
func (s *Sim) span(p driver.Ptr, bytes int64) (*allocation, int64, error) {
	if s.closed {
		return nil, 0, errClosed
	}
	al := find(s.live, uint64(p))
	if al == nil {
		l := launch{live: s.live, freed: s.freed}
		return nil, 0, errors.New("ptxsim: " + l.outside(uint64(p)))
	}
	at := int64(uint64(p) - al.base)
	if bytes > al.size-at {
		return nil, 0, fmt.Errorf("ptxsim: %d bytes at offset %d reach past the end of %s", bytes, at, al)
	}
	return al, at, nil
}

// Load parses and decodes a module.
func (s *Sim) Load(name, ptx string) (driver.Module, error) {
	text, err := parse(name, ptx)
	if err != nil {
		return nil, err
	}
	if text.target > s.config.Capability {
		return nil, fmt.Errorf("%s: made for sm_%d, and this device is sm_%d", name, text.target, s.config.Capability)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	live, used := s.live, s.used
	m, err := s.link(text, strings.Split(ptx, "\n"))
	if err != nil {
		s.live, s.used = live, used // without the module's variables
		return nil, err
	}
	return m, nil
}

// link places a module's variables and decodes its kernels.
func (s *Sim) link(text *module, source []string) (*simModule, error) {
	m := &simModule{sim: s, name: text.name, functions: map[string]*function{}}
	for _, v := range text.vars {
		if v.space != spaceGlobal && v.space != spaceConst {
			continue
		}
		// At an odd multiple of the alignment, as layout does. Checks go by words.
		al, err := s.alloc(v.name, max(v.size, 1), uint64(max(v.align, 4)))
		if err != nil {
			return nil, err
		}
		copy(al.data, v.init)
		al.hostWrote(0, al.size)
		al.readonly = v.space == spaceConst
		v.address = int64(al.base)
		m.vars = append(m.vars, driver.Ptr(al.base))
	}
	for _, k := range text.kernels {
		p, err := decode(text, k, source, s.config.Rough)
		if err != nil {
			return nil, err
		}
		m.functions[k.name] = &function{sim: s, prog: p}
	}
	return m, nil
}

type simModule struct {
	sim       *Sim
	name      string
	functions map[string]*function
	vars      []driver.Ptr
}

func (m *simModule) Function(name string) (driver.Function, error) {
	if f := m.functions[name]; f != nil {
		return f, nil
	}
	var have []string
	for n := range m.functions {
		have = append(have, n)
	}
	sort.Strings(have)
	return nil, fmt.Errorf("%s: no kernel %q; there are %s", m.name, name, strings.Join(have, ", "))
}

func (m *simModule) Unload() error {
	m.functions = nil
	for _, p := range m.vars {
		if err := m.sim.Free(p); err != nil {
			return err
		}
	}
	m.vars = nil
	return nil
}

type function struct {
	sim     *Sim
	prog    *program
	dynamic int      // bytes allowed by SetMaxDynamicShared
	idle    []*block // states of earlier launches
}

func (f *function) Name() string { return f.prog.name }

func (f *function) Attributes() (driver.Attributes, error) {
	return driver.Attributes{
		MaxThreads: f.maxThreads(), Shared: int(f.prog.shared.size),
		MaxDynamicShared: f.maxDynamic(), Local: int(f.prog.local.size),
	}, nil
}

func (f *function) maxThreads() int {
	if f.prog.maxThreads > 0 {
		return f.prog.maxThreads
	}
	return f.sim.Properties().MaxThreads
}

func (f *function) maxDynamic() int {
	return max(f.dynamic, f.sim.Properties().SharedPerBlock-int(f.prog.shared.size))
}

func (f *function) SetMaxDynamicShared(bytes int) error {
	if limit := f.sim.Properties().SharedOptin - int(f.prog.shared.size); bytes > limit {
		return fmt.Errorf("ptxsim: kernel %s: %d bytes of dynamic shared memory, %d are the most", f.prog.name, bytes, limit)
	}
	f.dynamic = bytes
	return nil
}

// launch is a launch under way. The device keeps one and uses it again.
type launch struct {
	args        []uint64
	grid, block driver.Dim
	shared      int // the end of shared memory, static and dynamic
	dynamic     int // bytes of it
	live, freed []*allocation
	checked     bool
	limit       int64

	// Stamps of global memory: the first block's, and those for words that
	// blocks share.
	base, mixed, atomic uint32
	atomics             sync.Mutex

	blocks, runs int // blocks of the grid, and how many of them run

	next  atomic.Int64 // the next that runs
	stop  atomic.Int64 // the first with a fault
	group sync.WaitGroup
}

// start checks a launch and runs it.
func (s *Sim) start(f *function, c driver.Config, args *driver.Args) error {
	p := f.prog
	grid, dim := c.Grid.Full(), c.Block.Full()
	threads := dim.Size()
	bad := func(format string, a ...any) error {
		return fmt.Errorf("ptxsim: launch of %s, grid %s, block %s: "+format, append([]any{p.name, grid, dim}, a...)...)
	}
	switch {
	case grid.X < 1 || grid.Y < 1 || grid.Z < 1 || dim.X < 1 || dim.Y < 1 || dim.Z < 1:
		return bad("every extent must be at least 1")
	case grid.X > 1<<31-1 || grid.Y > 65535 || grid.Z > 65535 || dim.Z > 64:
		return bad("an extent is too large")
	case threads > f.maxThreads():
		return bad("%d threads a block, %d are the most", threads, f.maxThreads())
	case len(args.Slots()) != len(p.params):
		return bad("%d arguments for %d parameters", len(args.Slots()), len(p.params))
	case c.Shared < 0 || c.Shared > f.maxDynamic():
		return bad("%d bytes of dynamic shared memory, %d are the most: SetMaxDynamicShared allows more", c.Shared, f.maxDynamic())
	}
	blocks := grid.Size()
	if s.stamp > lastStamp || uint64(blocks) > uint64(lastStamp-s.stamp) {
		if err := s.restamp(blocks); err != nil {
			return bad("%v", err)
		}
	}
	l := &s.launch
	l.args, l.grid, l.block = args.Slots(), grid, dim
	l.dynamic = c.Shared
	l.shared = int(p.shared.end)
	if p.dynamic >= 0 {
		l.shared = int(p.dynamic) + c.Shared
	}
	l.live, l.freed = s.live, s.freed
	l.checked, l.limit = !s.config.Unchecked, s.config.MaxInstructions
	l.base = s.stamp
	l.mixed, l.atomic = l.base+uint32(blocks), l.base+uint32(blocks)+1
	s.stamp += uint32(blocks) + 2
	l.blocks, l.runs = blocks, blocks
	if s.config.Sample > 0 {
		l.runs = min(blocks, s.config.Sample)
	}
	l.next.Store(0)
	l.stop.Store(int64(l.runs))

	began := time.Now()
	n := min(s.config.Workers, l.runs)
	s.workers = s.workers[:0]
	for range n {
		var b *block
		if last := len(f.idle) - 1; last >= 0 {
			b, f.idle = f.idle[last], f.idle[:last]
		} else {
			b = newBlock(p)
		}
		b.prepare(l)
		s.workers = append(s.workers, b)
	}
	for ; s.started < n-1; s.started++ {
		if s.tasks == nil {
			s.tasks = make(chan *block)
		}
		go serve(s.tasks)
	}
	l.group.Add(n - 1)
	for _, b := range s.workers[1:] {
		s.tasks <- b
	}
	s.workers[0].work()
	l.group.Wait()

	var fault *Fault
	report := Report{Kernel: p.name, Config: c, Elapsed: time.Since(began)}
	for _, b := range s.workers {
		report.Counters.Add(&b.counters)
		if b.fault != nil && (fault == nil || number(b.fault.Block, grid) < number(fault.Block, grid)) {
			fault = b.fault
		}
		f.idle = append(f.idle, b)
	}
	report.Launches = 1
	if s.config.OnLaunch != nil {
		s.config.OnLaunch(report)
	}
	if fault != nil {
		return fault
	}
	return nil
}

func number(block [3]int, grid driver.Dim) int {
	return block[0] + grid.X*(block[1]+grid.Y*block[2])
}

// serve runs blocks of launch after launch.
func serve(tasks <-chan *block) {
	for b := range tasks {
		b.work()
		b.launch.group.Done()
	}
}

// work runs blocks until none is left. After a fault, blocks before the
// faulty one still run, so that the fault that is reported is always that of
// the first block.
func (b *block) work() {
	l := b.launch
	for {
		i := l.next.Add(1) - 1
		if i >= l.stop.Load() {
			return
		}
		b.run(int(i) * l.blocks / l.runs)
		if b.fault != nil {
			for {
				stop := l.stop.Load()
				if i >= stop || l.stop.CompareAndSwap(stop, i) {
					return
				}
			}
		}
	}
}

// restamp starts the stamps of global memory anew.
func (s *Sim) restamp(blocks int) error {
	if blocks > lastStamp-12 {
		return fmt.Errorf("%d blocks are too many", blocks)
	}
	for _, al := range s.live {
		for i := range al.cells {
			c := &al.cells[i]
			c.read = 0
			if c.written != 0 {
				c.written = initialised
			}
		}
	}
	s.stamp = firstStamp
	return nil
}
