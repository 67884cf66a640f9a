// Package guarded makes memory for tests of kernels: what reads or writes
// outside of it faults.
package guarded
