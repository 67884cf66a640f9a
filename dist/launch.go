package dist

import (
	"os"
	"strconv"
)

// launchers are the variables in which launchers say how many processes there are.
var launchers = []struct{ name, size string }{
	{"Open MPI's mpirun", "OMPI_COMM_WORLD_SIZE"},
	{"MVAPICH's mpirun", "MV2_COMM_WORLD_SIZE"},
	{"MPICH's mpirun", "PMI_SIZE"},
	{"srun", "SLURM_STEP_NUM_TASKS"},
}

// Launched says who has launched this process as one of several, and of how many. The size is 0
// of a process that was started by itself.
func Launched() (launcher string, size int) {
	for _, l := range launchers {
		if n, err := strconv.Atoi(os.Getenv(l.size)); err == nil && n > 0 {
			return l.name, n
		}
	}
	return "", 0
}
