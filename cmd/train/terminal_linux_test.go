package main

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

// TestATerminalIsClosed runs the program on a terminal that goes away: the system
// sends it SIGHUP, and what it writes from then on fails with EIO. It saves.
func TestATerminalIsClosed(t *testing.T) {
	tiny(t)
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
	c := exec.Command(program, endless("run")...)
	c.Env = append(os.Environ(), asTrain+"=1")
	c.Stdin, c.Stdout, c.Stderr = side, side, side
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, c.Start())
	require.NoError(t, side.Close())
	_, err = bufio.NewReader(terminal).ReadString('\n') // it has begun
	require.NoError(t, err)
	require.NoError(t, terminal.Close())
	require.Error(t, c.Wait())
	require.Equal(t, command.Interrupted, c.ProcessState.ExitCode(), c.ProcessState.String())
	checkpoint, err := solver.ReadCheckpoint("run")
	require.NoError(t, err)
	require.Positive(t, checkpoint.Iteration)
}
