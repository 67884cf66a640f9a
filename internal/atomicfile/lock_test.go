package atomicfile

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// asHolder names the lock that a process of this test is to hold until it is killed.
const asHolder = "HUBEL_TEST_LOCK"

func TestMain(m *testing.M) {
	if path := os.Getenv(asHolder); path != "" {
		if _, err := Lock(path); err != nil {
			panic(err)
		}
		_, _ = os.Stdout.WriteString("locked\n")
		select {}
	}
	os.Exit(m.Run())
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	for range 2 {
		l, err := Lock(path)
		require.NoError(t, err)
		_, err = Lock(path)
		require.ErrorIs(t, err, ErrLocked)
		require.EqualError(t, err, path+": another process is at work there")
		require.NoError(t, l.Close())
		require.NoFileExists(t, path)
	}
	_, err := Lock(filepath.Join(path, "nowhere"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A process that is killed leaves the file behind, but not the lock.
func TestLockOfAProcessThatDies(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	program, err := os.Executable()
	require.NoError(t, err)
	c := exec.Command(program)
	c.Env = append(os.Environ(), asHolder+"="+path)
	stdout, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	_, err = bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	_, err = Lock(path)
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, c.Process.Kill())
	_ = c.Wait() // it was killed
	require.FileExists(t, path)
	l, err := Lock(path)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.NoFileExists(t, path)
}
