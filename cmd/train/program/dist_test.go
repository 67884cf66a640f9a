package program

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/dist/mpi"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/solver"
)

// alone makes this process one that no launcher has started.
func alone(t *testing.T) {
	for _, name := range []string{"OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"} {
		t.Setenv(name, "")
	}
}

// The launcher of one MPI starts processes that another MPI takes for single ones.
func TestDistRefusesLauncherOfOtherMPI(t *testing.T) {
	require.ErrorContains(t, joined("MPICH's mpirun", 4, 1), "MPICH's mpirun has started 4 processes, but the MPI that this program was built with sees one")
	require.NoError(t, joined("MPICH's mpirun", 4, 4))
	require.NoError(t, joined("srun", 2, 4)) // of the launcher's helpers, perhaps
	require.NoError(t, joined("", 0, 1))     // started by itself
	require.NoError(t, joined("srun", 1, 1))
}

func TestDistRefuses(t *testing.T) {
	alone(t)
	tiny(t)
	if !mpi.Built {
		refused(t, "-dist mpi: this program was built without MPI: `make mpi` builds one with it", with("-dist", "mpi")...)
	}
	refused(t, "-dist must be mpi, nccl, auto, off, or not given", with("-dist", "tcp")...)
	refused(t, "-dist-order must be plain or fixed", with("-dist-order", "any")...)
	refused(t, "there is one rank", with("-zero")...)
	refused(t, "-dist, -dist-order and -zero have no meaning with it", append(with("-check"), "-dist", "auto")...)
	refused(t, "-dist has no meaning with -eval", "-eval", "-weights", "x", "-data", "mnist:set", "-dist", "auto")
	refused(t, "-dist-order cannot be changed", "-resume", "x", "-dist-order", "fixed")
	refused(t, "-lr-per must be at least 1", with("-lr-per", "0")...)

	// Started by a launcher, it trains on purpose alone, or not at all.
	t.Setenv("PMI_SIZE", "4")
	refused(t, "MPICH's mpirun has started 4 processes, and each would train the same: -dist mpi joins them, -dist off lets each train by itself", with()...)
	refused(t, "MPICH's mpirun has started 4 processes", "-resume", "x")
	if !mpi.Built {
		refused(t, "-dist auto: this program was built without MPI", with("-dist", "auto")...)
	}
	succeed(t, with("-dist", "off", "-epochs", "1", "-out", "off")...)
	t.Setenv("PMI_SIZE", "")
	succeed(t, with("-dist", "auto", "-epochs", "1", "-out", "auto")...)
	same(t, "off", "auto")
}

// The fixed order of one process is another order of sums than that of -accumulate alone, and a
// run keeps it.
func TestFixedOrder(t *testing.T) {
	alone(t)
	tiny(t)
	flags := with("-batch", "8", "-accumulate", "3")
	whole := append([]string{"-dist-order", "fixed"}, flags...)
	succeed(t, append(flags, "-iters", "30", "-out", "plain")...)
	succeed(t, append(whole, "-iters", "30", "-out", "whole")...)
	succeed(t, append(whole, "-iters", "7", "-out", "run")...)
	plain, err := modelfile.Read("plain/" + solver.WeightsFile)
	require.NoError(t, err)
	fixed, err := modelfile.Read("whole/" + solver.WeightsFile)
	require.NoError(t, err)
	require.NotEqual(t, plain.Weights["fc2.weight"].Float32s(), fixed.Weights["fc2.weight"].Float32s())
	require.InDeltaSlice(t, plain.Weights["fc2.weight"].Float32s(), fixed.Weights["fc2.weight"].Float32s(), 1e-4)
	checkpoint, err := solver.ReadCheckpoint("whole")
	require.NoError(t, err)
	require.True(t, checkpoint.Config.FixedOrder)
	require.Equal(t, 3, checkpoint.Config.Accumulate)
	succeed(t, "-resume", "run", "-iters", "30")
	sameWeights(t, "whole", "run")
}

func TestRatePerSamples(t *testing.T) {
	alone(t)
	tiny(t)
	succeed(t, append([]string{"-lr-per", "256"}, with("-batch", "32", "-accumulate", "2", "-epochs", "1", "-out", "a")...)...)
	checkpoint, err := solver.ReadCheckpoint("a")
	require.NoError(t, err)
	o, err := parse(with())
	require.NoError(t, err)
	require.InDelta(t, o.rate*64/256, checkpoint.Config.Optimiser.Schedule.Rate, 1e-12)
}
