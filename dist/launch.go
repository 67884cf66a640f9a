package dist

import (
	"os"
	"strconv"
)

// launchers are the variables in which launchers say how many processes there are, which of them
// this one is, and which of those of its machine.
var launchers = []struct{ name, size, rank, local string }{
	{"Open MPI's mpirun", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK"},
	{"MVAPICH's mpirun", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_LOCAL_RANK"},
	{"MPICH's mpirun", "PMI_SIZE", "PMI_RANK", "MPI_LOCALRANKID"},
	{"srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID"},
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

// Place says which of the launched processes this one is, and which of those of its machine; both
// 0 where the launcher does not say.
func Place() (rank, local int) {
	number := func(name string) int {
		n, err := strconv.Atoi(os.Getenv(name))
		if err != nil {
			return 0
		}
		return max(n, 0)
	}
	for _, l := range launchers {
		if number(l.size) > 0 {
			return number(l.rank), number(l.local)
		}
	}
	return 0, 0
}
