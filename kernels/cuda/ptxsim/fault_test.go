package ptxsim

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// Each kernel of testdata commits one fault. It is launched with a block or
// two of 64 threads, a of 256 bytes (252 for vector_past_end) that are written
// and b of 256 that are not.
var faults = map[string]struct {
	kind   FaultKind
	blocks int
	line   string // starts so
	block  int
	thread int
	says   string
}{
	"past_end":                {FaultAddress, 1, "ld.global.f32", 0, 63, "address 0x100000100100 lies outside every allocation, 0 bytes past the end of a (256 bytes at 0x100000100000)"},
	"vector_past_end":         {FaultAddress, 1, "ld.global.v4.f32", 0, 0, "16 bytes at 0x1000001000f0 reach past the end of a (252 bytes at 0x100000100000)"},
	"freed":                   {FaultAddress, 1, "st.global.u32", 0, 0, "address 0x100000101100, offset 0 of b (256 bytes at 0x100000101100), which is freed"},
	"null":                    {FaultAddress, 1, "ld.global.u32", 0, 0, "address 0x0 is no address of global memory"},
	"shared_past_end":         {FaultAddress, 1, "st.shared.u32", 0, 32, "4 bytes at 528 (0x210) reach outside the block's 512 bytes of shared memory, which begin at 16"},
	"shared_before":           {FaultAddress, 1, "st.shared.u32", 0, 0, "4 bytes at 12 (0xc) reach outside the block's 512 bytes of shared memory, which begin at 16"},
	"local_before":            {FaultAddress, 1, "st.local.u32", 0, 0, "4 bytes at 0 reach outside the thread's 8 bytes of local memory, which begin at 4"},
	"local_past_end":          {FaultAddress, 1, "ld.local.u32", 0, 0, "4 bytes at 12 reach outside the thread's 8 bytes of local memory, which begin at 4"},
	"atomic_local":            {FaultAddress, 1, "atom.add.u32", 0, 0, "atomic operation on local memory"},
	"branch_past_table":       {FaultAddress, 1, "brx.idx", 0, 3, "index 3 of a table of 3 labels"},
	"misaligned":              {FaultAlignment, 1, "ld.global.v4.f32", 0, 1, "address 0x100000100004, offset 4 of a (256 bytes at 0x100000100000), is not a multiple of 16 bytes"},
	"shared_misaligned":       {FaultAlignment, 1, "ld.shared.v2.u32", 0, 0, "shared memory at 20 (s+4) is not at a multiple of 8 bytes"},
	"local_misaligned":        {FaultAlignment, 1, "ld.local.u32", 0, 0, "local memory at 6 is not at a multiple of 4 bytes"},
	"shared_declared":         {FaultAlignment, 1, "ld.shared.v4.u32", 0, 0, "shared memory at 536 (v+0) is not at a multiple of 16 bytes"},
	"local_declared":          {FaultAlignment, 1, "ld.local.u64", 0, 0, "local memory at 4 is not at a multiple of 8 bytes"},
	"global_declared":         {FaultAlignment, 1, "ld.global.v2.u64", 0, 0, "address 0x100000100008, offset 0 of g (16 bytes at 0x100000100008), is not a multiple of 16 bytes"},
	"async_misaligned":        {FaultAlignment, 1, "cp.async", 0, 1, "source address 0x100000100004 is not a multiple of 8 bytes"},
	"divergent_barrier":       {FaultBarrier, 1, "bar.sync", 0, 16, "barrier reached by lanes 16-31 of the warp only; lanes 0-15 take another way"},
	"barrier_after_exit":      {FaultBarrier, 1, "bar.sync", 0, 0, "barrier reached by 1 of the block's 2 warps; the others have exited"},
	"barrier_lanes_exited":    {FaultBarrier, 1, "bar.sync", 0, 0, "barrier reached by part of the block: lanes 5 of the warp have exited"},
	"barrier_of_part":         {FaultBarrier, 1, "bar.sync 1, 32", 0, 0, "a barrier of 32 of the block's 64 threads is not supported"},
	"different_barriers":      {FaultBarrier, 1, "bar.sync 1", 0, 32, "warp 1 waits at barrier 1, and warp 0 at another, on line 31"},
	"warp_barrier":            {FaultBarrier, 1, "bar.warp.sync", 0, 16, "the warp's barrier waits for lanes 1-15, which do not come to it"},
	"warp_barrier_guarded":    {FaultBarrier, 1, "@%p1 bar.warp.sync", 0, 0, "a barrier of a warp may not be predicated per lane"},
	"warp_barrier_stranger":   {FaultBarrier, 1, "bar.warp.sync", 0, 16, "the lane is not in the member mask of the barrier that it runs"},
	"race_read":               {FaultSharedRace, 1, "ld.shared.u32", 0, 32, "reads shared memory at 16 (s+0), which thread [0 0 0] wrote with no barrier between"},
	"race_overwrite":          {FaultSharedRace, 1, "@%p1 st.shared.u32", 0, 32, "overwrites shared memory at 144 (s+128), which thread [0 0 0] read with no barrier between"},
	"race_lanes":              {FaultSharedRace, 1, "ld.shared.u32", 0, 0, "reads shared memory at 20 (s+4), which thread [1 0 0] wrote with no barrier between"},
	"race_same_word":          {FaultSharedRace, 1, "st.shared.u32", 0, 1, "writes shared memory at 16 (s+0), which thread [0 0 0] wrote with no barrier between"},
	"race_atomic":             {FaultSharedRace, 1, "ld.shared.u32", 0, 0, "reads shared memory at 16 (s+0), which thread [31 0 0] wrote with no barrier between"},
	"race_several_lanes":      {FaultSharedRace, 1, "@%p1 st.shared.u32", 0, 0, "overwrites shared memory at 16 (s+0), which several lanes of warp 0 read with no barrier between"},
	"race_since_warp_barrier": {FaultSharedRace, 1, "@%p1 st.shared.u32", 0, 0, "overwrites shared memory at 16 (s+0), which thread [1 0 0] read with no barrier between"},
	"race_several_warps":      {FaultSharedRace, 1, "@%p2 st.shared.u32", 0, 32, "overwrites shared memory at 16 (s+0), which several warps read with no barrier between"},
	"async_no_barrier":        {FaultSharedRace, 1, "ld.shared.f32", 0, 32, "reads shared memory at 16 (s+0), which thread [0 0 0] wrote with no barrier between"},
	"race_blocks_write":       {FaultGlobalRace, 2, "st.global.u32", 1, 0, "writes offset 0 of b (256 bytes at 0x100000101100), which another block of this launch wrote"},
	"race_blocks_read":        {FaultGlobalRace, 2, "@%p2 ld.global.u32", 1, 0, "reads offset 0 of a (256 bytes at 0x100000100000), which another block of this launch wrote"},
	"race_blocks_overwrite":   {FaultGlobalRace, 2, "st.global.u32", 1, 0, "writes offset 0 of a (256 bytes at 0x100000100000), which another block of this launch read"},
	"race_blocks_bytes":       {FaultGlobalRace, 4, "@%p2 st.global.u8", 3, 0, "writes offset 0 of a (256 bytes at 0x100000100000), which another block of this launch read"},
	"race_blocks_atomic":      {FaultGlobalRace, 2, "@%p1 st.global.u32", 1, 0, "writes offset 0 of a (256 bytes at 0x100000100000), which another block of this launch wrote"},
	"atomic_after_write":      {FaultGlobalRace, 2, "@!%p1 red.global.add.u32", 1, 0, "writes offset 0 of b (256 bytes at 0x100000101100), which another block of this launch wrote"},
	"atomic_after_read":       {FaultGlobalRace, 2, "@!%p1 red.global.add.u32", 1, 0, "writes offset 0 of a (256 bytes at 0x100000100000), which another block of this launch read"},
	"nc_after_write":          {FaultNonCoherent, 1, "ld.global.nc.u32", 0, 0, "reads offset 0 of b (256 bytes at 0x100000101100) as read-only, which this launch wrote"},
	"ldu_after_write":         {FaultNonCoherent, 1, "ldu.global.u32", 0, 0, "reads offset 0 of b (256 bytes at 0x100000101100) as read-only, which this launch wrote"},
	"nc_before_write":         {FaultNonCoherent, 1, "st.global.u32", 0, 0, "writes offset 0 of a (256 bytes at 0x100000100000), which this launch reads as read-only"},
	"nc_before_atomic":        {FaultNonCoherent, 1, "red.global.add.u32", 0, 0, "writes offset 0 of a (256 bytes at 0x100000100000), which this launch reads as read-only"},
	"read_only":               {FaultReadOnly, 1, "st.u32", 0, 0, "c (4 bytes at 0x100000100004) cannot be written"},
	"uninit_shared":           {FaultUninitShared, 1, "ld.shared.f32", 0, 0, "shared memory at 16 (s+0) was never written"},
	"atomic_uninit_shared":    {FaultUninitShared, 1, "atom.shared.add.u64", 0, 0, "shared memory at 20 (s+4) was never written"},
	"uninit_global":           {FaultUninitGlobal, 1, "ld.global.f32", 0, 0, "offset 0 of b (256 bytes at 0x100000101100) was never written"},
	"atomic_uninit_global":    {FaultUninitGlobal, 1, "atom.global.add.u32", 0, 0, "offset 0 of b (256 bytes at 0x100000101100) was never written"},
	"async_uninit_global":     {FaultUninitGlobal, 1, "cp.async", 0, 0, "offset 0 of b (256 bytes at 0x100000101100) was never written"},
	"uninit_register":         {FaultUninitReg, 1, "add.s32 %r9", 0, 7, "register %r8 was never written"},
	"async_no_wait":           {FaultAsync, 1, "ld.shared.f32", 0, 0, "reads shared memory at 16 (s+0), where an asynchronous copy of thread [0 0 0] has not been waited for"},
	"async_wait_too_few":      {FaultAsync, 1, "ld.shared.f32 %f2", 0, 0, "reads shared memory at 272 (s+256), where an asynchronous copy of thread [0 0 0] has not been waited for"},
	"async_overwritten":       {FaultAsync, 1, "st.shared.u32", 0, 0, "writes shared memory at 16 (s+0), where an asynchronous copy of thread [0 0 0] has not been waited for"},
	"async_twice":             {FaultAsync, 1, "cp.async.ca.shared.global [%r6], [%a1]", 0, 0, "writes shared memory at 16 (s+0), where an asynchronous copy of thread [0 0 0] has not been waited for"},
	"shuffle_missing_lane":    {FaultShuffle, 1, "shfl.sync", 0, 16, "the exchange names lanes 0-15, which do not run it together with this one"},
	"shuffle_absent_lane":     {FaultShuffle, 1, "shfl.sync", 0, 8, "reads lane 16, which does not run the shuffle"},
	"shuffle_stranger":        {FaultShuffle, 1, "shfl.sync", 0, 16, "the lane is not in the member mask of the exchange that it runs"},
	"vote_stranger":           {FaultShuffle, 1, "vote.sync", 0, 16, "the lane is not in the member mask of the exchange that it runs"},
	"redux_missing_lane":      {FaultShuffle, 1, "redux.sync", 0, 16, "the exchange names lanes 0-15, which do not run it together with this one"},
	"trap":                    {FaultTrap, 1, "@%p1 trap", 0, 3, "the kernel runs into a trap"},
	"endless":                 {FaultEndless, 1, "", 0, 0, "the warp has run 10001 instructions: an endless loop? Config.MaxInstructions allows more"},
}

// runFault launches a kernel of testdata.
func runFault(t *testing.T, name string, config Config, blocks int) error {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".ptx"))
	require.NoError(t, err)
	config.Workers = 1 // blocks in order, so that the second is the one at fault
	config.MaxInstructions = 10000
	sim := New(config)
	m, err := sim.Load(name+".ptx", string(text))
	require.NoError(t, err)
	f, err := m.Function("k")
	require.NoError(t, err)
	bytes := int64(256)
	if name == "vector_past_end" {
		bytes = 252
	}
	a, err := sim.Alloc("a", bytes)
	require.NoError(t, err)
	b, err := sim.Alloc("b", 256)
	require.NoError(t, err)
	st, err := sim.NewStream()
	require.NoError(t, err)
	require.NoError(t, st.Memset(a, 0, bytes))
	if name == "freed" {
		require.NoError(t, sim.Free(b))
	}
	var args driver.Args
	return st.Launch(f, driver.Config{Grid: driver.Dim{X: blocks}, Block: driver.Dim{X: 64}}, args.Ptr(a).Ptr(b).Int(3))
}

func TestFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/*.ptx")
	require.NoError(t, err)
	require.Len(t, files, len(faults))
	for name, want := range faults {
		t.Run(name, func(t *testing.T) {
			err := runFault(t, name, Config{}, want.blocks)
			var f *Fault
			require.True(t, errors.As(err, &f), "%v", err)
			require.Equal(t, want.kind, f.Kind, "%v", err)
			require.True(t, strings.HasPrefix(f.Source, want.line), "%v", err)
			require.Equal(t, [3]int{want.block, 0, 0}, f.Block, "%v", err)
			require.Equal(t, [3]int{want.thread, 0, 0}, f.Thread, "%v", err)
			require.Equal(t, want.says, f.Detail)
			for _, part := range []string{want.kind.String(), "kernel k", name + ".ptx:", f.Source, "block (", "thread ("} {
				require.Contains(t, err.Error(), part)
			}
		})
	}
}

// Without checks, races and unwritten memory go through; the others do not.
func TestUncheckedFaults(t *testing.T) {
	off := map[FaultKind]bool{FaultSharedRace: true, FaultGlobalRace: true, FaultNonCoherent: true, FaultUninitShared: true, FaultUninitGlobal: true, FaultAsync: true}
	for name, want := range faults {
		err := runFault(t, name, Config{Unchecked: true}, want.blocks)
		if off[want.kind] {
			require.NoError(t, err, name)
		} else {
			require.Error(t, err, name)
		}
	}
}
