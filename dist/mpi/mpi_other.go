//go:build !mpi

package mpi

import (
	"errors"

	"github.com/hubel-go/hubel/dist"
)

const built = false

func open() (dist.Group, error) {
	return nil, errors.New("this program was built without MPI: `make mpi` builds one with it, and needs the package libopenmpi-dev or libmpich-dev")
}
