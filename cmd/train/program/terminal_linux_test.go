package program

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/solver"
)

// onTerminal runs the program, by a shell's command in which "$@" are its words, on a
// terminal that goes away once something is written: the system sends it SIGHUP, and
// what it writes from then on fails with EIO.
func onTerminal(t *testing.T, script string, args ...string) *os.ProcessState {
	t.Helper()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("this machine lends no terminal: %v", err)
	}
	require.NoError(t, unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	side, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine lends no terminal: %v", err)
	}
	program, err := os.Executable()
	require.NoError(t, err)
	c := exec.Command("sh", append([]string{"-c", script, "sh", program}, args...)...)
	c.Env = append(os.Environ(), asTrain+"=1")
	c.Stdin, c.Stdout, c.Stderr = side, side, side
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, c.Start())
	require.NoError(t, side.Close())
	_, err = bufio.NewReader(terminal).ReadString('\n') // it has begun
	require.NoError(t, err)
	require.NoError(t, terminal.Close())
	_ = c.Wait() // the state says more
	return c.ProcessState
}

// A run whose terminal is closed saves, and one that is to ignore that goes on to its
// end.
func TestATerminalIsClosed(t *testing.T) {
	tiny(t)
	heed(t, syscall.SIGHUP)
	state := onTerminal(t, `exec "$@"`, endless("run")...)
	require.Equal(t, command.Interrupted, state.ExitCode(), state.String())
	checkpoint, err := solver.ReadCheckpoint("run")
	require.NoError(t, err)
	require.Positive(t, checkpoint.Iteration)

	state = onTerminal(t, `trap "" HUP; exec "$@"`, with("-epochs", "20", "-out", "on")...)
	require.Equal(t, command.Done, state.ExitCode(), state.String())
	require.FileExists(t, "on/"+curveFile)
}
