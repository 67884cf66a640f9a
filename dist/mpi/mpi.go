// Package mpi is the dist.Group of the processes that mpirun, srun or another launcher of MPI has
// started. It calls about a dozen functions of MPI's C interface, in mpi_cgo.go, which needs the
// tag mpi; in a program without it Open says how to get one.
//
// One goroutine, locked to its thread, makes all calls of MPI (MPI_THREAD_FUNNELED). Operations do
// not block it: it starts them, and asks from time to time how far they are, so that they go on
// while the device computes.
package mpi

import "github.com/hubel-go/hubel/dist"

// Built reports whether this program has MPI.
const Built = built

// Open joins the ranks. All processes of the launcher call it, once. A process without a launcher
// is the only rank of its group.
func Open() (dist.Group, error) { return open() }
