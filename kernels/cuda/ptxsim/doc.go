// Package ptxsim is a CUDA device in pure Go: it implements driver.Driver by
// executing PTX, as nvcc writes it, warp by warp. It is a measuring instrument
// as much as a device: it finds accesses outside allocations, races,
// barriers that part of a block misses and memory that is read before it is
// written, and counts what a kernel does. docs/ptxsim.md tells how to run a
// kernel of your own on it.
//
// The way of a kernel: lex and parse make statements of the text, decode makes
// a program of a kernel's statements (registers numbered, operands resolved),
// cfg finds where lanes that part meet again, block and warp execute.
package ptxsim
