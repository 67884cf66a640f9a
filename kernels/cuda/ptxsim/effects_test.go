package ptxsim

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// effects are the instructions that do more than make a result of a lane's
// operands: a body leaves a value in %r2 and %i is the thread's number, of 64
// in one block. The first ten lanes of a warp have %p1.
var effects = map[string]func(i int) uint32{
	"mov.u32 %r2, %i;\nst.global.u32 [%o], %r2;\nld.global.u32 %r2, [%o];":                            itself,
	"st.volatile.global.u32 [%o], %i;\nld.volatile.global.u32 %r2, [%o];":                             itself,
	"st.global.v2.u16 [%o], {%h0, %h1};\nld.global.v2.u16 {_, %h2}, [%o];\ncvt.u32.u16 %r2, %h2;":     func(int) uint32 { return 9 },
	"st.global.b32 [%o], -2;\nld.global.s32 %d1, [%o];\nshr.u64 %d1, %d1, 32;\ncvt.u32.u64 %r2, %d1;": func(int) uint32 { return 1<<32 - 1 },
	"st.global.u32 [%o], %i;\nred.global.add.u32 [%o], 1;\nld.global.u32 %r2, [%o];":                  func(i int) uint32 { return uint32(i + 1) },
	"st.global.u32 [%o], %i;\natom.global.exch.b32 %r2, [%o], 1;":                                     itself,
	".shared .b32 s[64];\nmov.u32 %r3, s;\nmad.lo.u32 %r3, %tid, 4, %r3;\nst.global.u32 [%o], %i;\ncp.async.ca.shared.global [%r3], [%o], 4;\n" +
		"cp.async.wait_all;\nld.shared.u32 %r2, [%r3];": itself,
	".shared .align 8 .f64 s;\nsetp.eq.u32 %p2, %i, 0;\nmov.u64 %d1, 0d3FE0000000000000;\n@%p2 st.shared.f64 [s], %d1;\nbar.sync 0;\n" +
		"red.shared.add.f64 [s], 0.25;\nbar.sync 0;\nld.shared.f64 %d1, [s];\ncvt.rzi.u32.f64 %r2, %d1;": func(int) uint32 { return 16 },

	"mov.u32 %r2, 1;\nbra.uni $end;\nmov.u32 %r2, 2;\n$end:":  func(int) uint32 { return 1 },
	"mov.u32 %r2, 1;\n@%p1 bra $end;\nmov.u32 %r2, 2;\n$end:": func(i int) uint32 { return uint32(2 - b2i(i%32 < 10)) },
	"and.b32 %r3, %i, 1;\n$table: .branchtargets $a, $b;\nbrx.idx %r3, $table;\n$a:\nmov.u32 %r2, 5;\nbra $end;\n$b:\nmov.u32 %r2, 6;\n$end:": func(i int) uint32 {
		return uint32(5 + i%2)
	},
	"$table: .branchtargets $a, $b;\nbrx.idx.uni 1, $table;\n$a:\nmov.u32 %r2, 5;\nbra $end;\n$b:\nmov.u32 %r2, 6;\n$end:": func(int) uint32 { return 6 },
	"mov.u32 %r2, 1;\nst.global.u32 [%o], %r2;\n@%p1 ret;\nmov.u32 %r2, 2;":                                                func(i int) uint32 { return uint32(2 - b2i(i%32 < 10)) },
	"mov.u32 %r2, 1;\nst.global.u32 [%o], %r2;\n@!%p1 exit;\nmov.u32 %r2, 2;":                                              func(i int) uint32 { return uint32(1 + b2i(i%32 < 10)) },
	"mov.u32 %r2, 1;\nsetp.gt.u32 %p2, %tid, 99;\n@%p2 trap;":                                                              func(int) uint32 { return 1 },

	"activemask.b32 %r2;":                       func(int) uint32 { return 1<<32 - 1 },
	"mov.u32 %r2, 3;\n@%p1 activemask.b32 %r2;": func(i int) uint32 { return uint32(3 + 1020*b2i(i%32 < 10)) },

	// Barriers order what the threads of a block, or of a warp, write and read.
	exchange("bar.sync 0;", 32):                   func(i int) uint32 { return uint32(i ^ 32) },
	exchange("bar.sync 1, 64;", 32):               func(i int) uint32 { return uint32(i ^ 32) },
	exchange("barrier.sync.aligned 0;", 32):       func(i int) uint32 { return uint32(i ^ 32) },
	exchange("bar.warp.sync -1;", 16):             func(i int) uint32 { return uint32(i ^ 16) },
	exchange("bar.red.popc.u32 %r4, 0, %p1;", 32): func(i int) uint32 { return uint32(i ^ 32) },

	// These change nothing.
	"mov.u32 %r2, %i;\nmembar.cta;\nmembar.gl;\nmembar.sys;":                                                           itself,
	"mov.u32 %r2, %i;\nfence.sc.gpu;\nfence.acq_rel.cta;\nfence.sys;":                                                  itself,
	"mov.u32 %r2, %i;\nprefetch.global.L1 [%o];\nprefetch.L2 [%out+4];":                                                itself,
	"mov.u32 %r2, %i;\nprefetchu.L1 [%o];":                                                                             itself,
	"mov.u32 %r2, %i;\nnanosleep.u32 100;\nnanosleep.u32 %r2;":                                                         itself,
	".shared .b32 s;\nmov.u64 %d1, s;\ncvta.shared.u64 %d1, %d1;\nisspacep.shared %p2, %d1;\nselp.u32 %r2, 1, 0, %p2;": func(int) uint32 { return 1 },
	".shared .b32 s[64];\nmov.u64 %d1, s;\nmad.wide.u32 %d1, %tid, 4, %d1;\ncvta.shared.u64 %d2, %d1;\nst.u32 [%d2], %i;\ncvta.to.shared.u64 %d2, %d2;\nld.shared.u32 %r2, [%d2];": itself,
	".local .b32 l[4];\nmov.u64 %d1, l;\ncvta.local.u64 %d1, %d1;\nst.u32 [%d1+4], %i;\nld.local.u32 %r2, [l+4];":                                                                  itself,

	"shfl.sync.up.b32 %r2|%p1, %i, 3, 0, -1;":                              func(i int) uint32 { return uint32(i - 3*b2i(i%32 >= 3)) },
	"shfl.sync.down.b32 %r2|%p1, %i, 5, 31, -1;":                           func(i int) uint32 { return uint32(i + 5*b2i(i%32 < 27)) },
	"shfl.sync.bfly.b32 %r2|%p1, %i, 9, 31, -1;":                           func(i int) uint32 { return uint32(i ^ 9) },
	"shfl.sync.idx.b32 %r2|%p1, %i, 7, 31, -1;":                            func(i int) uint32 { return uint32(i/32*32 + 7) },
	"shfl.sync.idx.b32 %r2|%p1, %i, 2, 6175, -1;":                          func(i int) uint32 { return uint32(i/8*8 + 2) }, // segments of 8
	"shfl.sync.down.b32 %r2|%p1, %i, 1, 6175, -1;":                         func(i int) uint32 { return uint32(i + b2i(i%8 < 7)) },
	"shfl.sync.down.b32 %r3|%p1, %i, 5, 31, -1;\nselp.u32 %r2, 1, 0, %p1;": func(i int) uint32 { return uint32(b2i(i%32 < 27)) },

	"vote.sync.ballot.b32 %r2, %p1, -1;":                                                          func(int) uint32 { return 0x3ff },
	"vote.sync.ballot.b32 %r2, !%p1, -1;":                                                         func(int) uint32 { return ^uint32(0x3ff) },
	"vote.sync.any.pred %p2, %p1, -1;\nselp.u32 %r2, 1, 0, %p2;":                                  func(int) uint32 { return 1 },
	"vote.sync.all.pred %p2, %p1, -1;\nselp.u32 %r2, 1, 0, %p2;":                                  func(int) uint32 { return 0 },
	"vote.sync.uni.pred %p2, %p1, -1;\nselp.u32 %r2, 1, 0, %p2;":                                  func(int) uint32 { return 0 },
	"setp.ge.u32 %p3, %r5, 0;\nvote.sync.uni.pred %p2, %p3, -1;\nselp.u32 %r2, 1, 0, %p2;":        func(int) uint32 { return 1 },
	"setp.lt.u32 %p3, %r5, 0;\nvote.sync.uni.pred %p2, %p3, -1;\nselp.u32 %r2, 1, 0, %p2;":        func(int) uint32 { return 1 },
	"setp.gt.u32 %p3, %r5, 0;\nvote.sync.uni.pred %p2, %p3, -1;\nselp.u32 %r2, 1, 0, %p2;":        func(int) uint32 { return 0 },
	"setp.lt.u32 %p2, %r5, 0;\n@%p1 vote.sync.uni.pred %p2, %p1, 1023;\nselp.u32 %r2, 1, 0, %p2;": func(i int) uint32 { return uint32(b2i(i%32 < 10)) },
	"setp.ge.u32 %p3, %r5, 0;\nvote.sync.all.pred %p2, %p3, -1;\nselp.u32 %r2, 1, 0, %p2;":        func(int) uint32 { return 1 },
	"setp.ge.u32 %p3, %r5, 0;\nvote.sync.any.pred %p2, !%p3, -1;\nselp.u32 %r2, 1, 0, %p2;":       func(int) uint32 { return 0 },
	"bar.red.popc.u32 %r2, 0, %p1;":                                                               func(int) uint32 { return 20 },
	"bar.red.or.pred %p2, 0, %p1;\nselp.u32 %r2, 1, 0, %p2;":                                      func(int) uint32 { return 1 },
	"setp.eq.u32 %p2, 0, 0;\nbar.red.and.pred %p2, 0, %p2;\nselp.u32 %r2, 1, 0, %p2;":             func(int) uint32 { return 1 },
	"bar.red.and.pred %p2, 0, %p1;\nselp.u32 %r2, 1, 0, %p2;":                                     func(int) uint32 { return 0 },

	"redux.sync.add.s32 %r2, %r5, -1;":                                             func(int) uint32 { return 31 * 16 },
	"redux.sync.min.u32 %r2, %r5, -1;":                                             func(int) uint32 { return 0 },
	"redux.sync.max.u32 %r2, %r5, -1;":                                             func(int) uint32 { return 31 },
	"sub.s32 %r3, 5, %r5;\nredux.sync.min.s32 %r2, %r3, -1;":                       func(int) uint32 { return 1<<32 - 26 },
	"sub.s32 %r3, 5, %r5;\nredux.sync.max.s32 %r2, %r3, -1;":                       func(int) uint32 { return 5 },
	"or.b32 %r3, %r5, 64;\nredux.sync.and.b32 %r2, %r3, -1;":                       func(int) uint32 { return 64 },
	"redux.sync.or.b32 %r2, %r5, -1;":                                              func(int) uint32 { return 31 },
	"and.b32 %r3, %r5, 1;\n@%p1 mov.u32 %r3, 6;\nredux.sync.xor.b32 %r2, %r3, -1;": func(int) uint32 { return 1 },
	"mov.u32 %r2, 1;\n@%p1 redux.sync.add.u32 %r2, %r5, 1023;":                     func(i int) uint32 { return uint32(1 + 44*b2i(i%32 < 10)) },
}

func itself(i int) uint32 { return uint32(i) }

// exchange is a body in which threads whose numbers differ by distance, a power
// of two, exchange them through shared memory.
func exchange(barrier string, distance int) string {
	return ".shared .b32 s[64];\nmov.u32 %r4, s;\nmad.lo.u32 %r3, %tid, 4, %r4;\nst.shared.u32 [%r3], %i;\n" + barrier +
		"\nxor.b32 %r3, %tid, " + strconv.Itoa(distance) + ";\nmov.u32 %r4, s;\nmad.lo.u32 %r3, %r3, 4, %r4;\nld.shared.u32 %r2, [%r3];"
}

func TestEffects(t *testing.T) {
	for text, want := range effects {
		got, _ := run(t, "", "mov.b32 {%h0, %h1}, 0x90007;\nand.b32 %r5, %tid, 31;\nsetp.lt.u32 %p1, %r5, 10;\n"+text+"\nst.global.u32 [%o], %r2;", shape(1, 64))
		for i, v := range got {
			require.Equal(t, want(i), v, "%s, thread %d", text, i)
		}
	}
}

// Every instruction that is decoded stands in one of the tables, or in the
// kernel of TestMMAFragments.
func TestEveryInstruction(t *testing.T) {
	missing := map[string]bool{}
	for name := range decoders {
		missing[name] = true
	}
	note := func(text string) {
		for _, statement := range strings.FieldsFunc(text, func(r rune) bool { return r == ';' || r == '\n' }) {
			words := strings.Fields(statement)
			if len(words) > 1 && strings.HasPrefix(words[0], "@") {
				words = words[1:]
			}
			if len(words) > 0 {
				name, _, _ := strings.Cut(words[0], ".")
				delete(missing, name)
			}
		}
	}
	for _, c := range instructions {
		note(c.text)
	}
	for text := range effects {
		note(text)
	}
	note(mmaKernel(8, "", ""))
	require.Empty(t, missing, "instructions without a test")
}
