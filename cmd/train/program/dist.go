package program

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/hubel-go/hubel/dist"
	"github.com/hubel-go/hubel/dist/mpi"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/solver"
)

// The values of -dist and of -dist-order.
const (
	distMPI  = "mpi"
	distNCCL = "nccl"
	distAuto = "auto"
	distOff  = "off"

	orderPlain = "plain"
	orderFixed = "fixed"
)

var distModes = []string{"", distMPI, distNCCL, distAuto, distOff}

// join makes this process one of those that train together, where -dist asks for it. From then on
// its errors carry its rank, and rank 0 alone prints anything else: stdout and notes.
func (o *options) join(ctx context.Context, stdout, notes *io.Writer) (err error) {
	launcher, n := dist.Launched()
	switch {
	case o.dist == "" && n > 1:
		return fmt.Errorf("%s has started %d processes, and each would train the same: -dist %s joins them, -dist %s lets each train by itself", launcher, n, distMPI, distOff)
	case o.dist == distNCCL:
		if err := o.joinByNCCL(ctx, n); err != nil {
			return fmt.Errorf("-dist %s: %w", o.dist, err)
		}
	case o.dist == distMPI, o.dist == distAuto && n > 0:
		if o.group, err = mpi.Open(); err != nil {
			return fmt.Errorf("-dist %s: %w", o.dist, err)
		}
		if err := joined(launcher, n, o.group.Size()); err != nil {
			return &dist.AgreedError{Err: err} // each is alone, and finds the same
		}
	default:
		return nil
	}
	if !o.first() {
		*stdout, *notes = io.Discard, io.Discard
	} else if o.dist == distAuto {
		fmt.Fprintf(*stdout, "%s has started %d processes: -dist %s\n", launcher, o.group.Size(), distMPI)
	}
	return o.compare(ctx)
}

// joined refuses a process that is alone although a launcher has started several: that launcher is
// of another MPI than the program, so that each would train by itself.
func joined(launcher string, started, size int) error {
	if started > 1 && size == 1 {
		return fmt.Errorf("%s has started %d processes, but the MPI that this program was built with sees one: launch it with the mpirun of the same MPI, or build it again, with `make mpi MPICC=…` of the launcher's", launcher, started)
	}
	return nil
}

// first reports whether this process prints and writes.
func (o *options) first() bool { return o.group == nil || o.group.Rank() == 0 }

// agree makes all ranks fail where one does.
func (o *options) agree(err error) error {
	if o.group == nil {
		return err
	}
	return dist.Agree(context.Background(), o.group, err)
}

// sameProgram is what all ranks must have been started with.
type sameProgram struct {
	Program string            // a checksum
	Flags   map[string]string // that were given
}

// ofMachine are flags that may differ from rank to rank.
var ofMachine = []string{"device", "threads", "debug-sync", "rank"}

// compare refuses ranks of another program, or with other flags.
func (o *options) compare(ctx context.Context) error {
	mine := sameProgram{Flags: map[string]string{}}
	o.set.Visit(func(f *flag.Flag) {
		if !slices.Contains(ofMachine, f.Name) {
			mine.Flags[f.Name] = f.Value.String()
		}
	})
	path, err := os.Executable()
	if err == nil {
		mine.Program, err = checksum(path)
	}
	if err := o.agree(err); err != nil {
		return err
	}
	text, err := json.Marshal(mine)
	if err != nil {
		return err
	}
	all, err := o.group.Gather(ctx, text)
	if err != nil {
		return err
	}
	for rank, other := range all {
		if err = differs(rank, all[0], other); err != nil {
			break
		}
	}
	return o.agree(err) // all have found the same
}

// differs says in what a rank is not as rank 0.
func differs(rank int, first, other []byte) error {
	var a, b sameProgram
	if err := errors.Join(json.Unmarshal(first, &a), json.Unmarshal(other, &b)); err != nil {
		return err
	}
	if a.Program != b.Program {
		return fmt.Errorf("rank %d runs another program than rank 0: copy the same binary to every machine", rank)
	}
	names := maps.Clone(a.Flags)
	maps.Copy(names, b.Flags)
	given := func(of map[string]string, name string) string {
		if value, ok := of[name]; ok {
			return fmt.Sprintf("-%s %s", name, command.Quoted(value))
		}
		return "no -" + name
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if x, y := given(a.Flags, name), given(b.Flags, name); x != y {
			return fmt.Errorf("rank 0 has %s and rank %d has %s: all ranks must have the same flags", x, rank, y)
		}
	}
	return nil
}

func checksum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	return fmt.Sprintf("%x", h.Sum(nil)), errors.Join(err, f.Close())
}

// trainBeside trains as a rank that neither prints nor writes.
func (o *options) trainBeside(ctx context.Context, c solver.Config) error {
	result, err := solver.Train(ctx, c)
	switch {
	case errors.Is(err, context.Canceled):
		o.stop() // rank 0 says how to go on
	case err != nil && result.Began:
		return command.BrokenError{Err: err}
	}
	return goingOn(err)
}

// leave reports the error of this rank, lets go of the others, and returns the exit code. What
// another rank has reported is not said again.
func (o *options) leave(ctx context.Context, stderr io.Writer, err error) int {
	broken := errors.As(err, new(solver.FailedError))
	if o.group == nil {
		return command.Exit(ctx, stderr, "train", err, broken)
	}
	told := errors.As(err, new(*dist.RankError))
	if told {
		stderr = io.Discard
	}
	code := command.Exit(ctx, stderr, fmt.Sprintf("train: rank %d", o.group.Rank()), err, broken)
	if err != nil && !told && !errors.As(err, new(*dist.AgreedError)) {
		o.group.Abort(err)
	}
	closing := o.group.Close()
	if o.messenger != nil {
		closing = cmp.Or(closing, o.messenger.Close())
	}
	if err := closing; err != nil && code == command.Done {
		return command.Exit(ctx, stderr, fmt.Sprintf("train: rank %d", o.group.Rank()), err, true)
	}
	return code
}

// onRanks is the device of a run, and how many ranks there are.
func onRanks(c solver.Config) string {
	if c.Group == nil {
		return c.Device.Name()
	}
	return fmt.Sprintf("%d ranks (%s) on %s", c.Group.Size(), c.Group.Name(), c.Device.Name())
}
