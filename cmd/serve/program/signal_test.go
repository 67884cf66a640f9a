//go:build unix

package program

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
)

// asServe is set in the environment of a process of this test that is to be the program.
const asServe = "HUBEL_TEST_AS_SERVE"

func TestMain(m *testing.M) {
	if os.Getenv(asServe) != "" {
		Main()
	}
	os.Exit(m.Run())
}

// The real program reads its weights again at SIGHUP, also where nohup has ignored it, and
// ends well at Ctrl-C and SIGTERM.
func TestSignals(t *testing.T) {
	file := lenet(t, filepath.Join(t.TempDir(), "w.safetensors"), 1)
	program, err := os.Executable()
	require.NoError(t, err)
	c := &http.Client{}
	defer c.CloseIdleConnections()
	for _, end := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		if end == syscall.SIGTERM {
			signal.Ignore(syscall.SIGHUP) // which the program inherits
			t.Cleanup(func() { signal.Reset(syscall.SIGHUP) })
		}
		p := exec.Command(program, "-weights", file, "-addr", "127.0.0.1:0", "-threads", "1")
		p.Env = append(os.Environ(), asServe+"=1")
		var said bytes.Buffer
		stderr, err := p.StderrPipe()
		require.NoError(t, err)
		stdout, err := p.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, p.Start())
		kill := time.AfterFunc(time.Minute, func() { _ = p.Process.Kill() })
		defer kill.Stop()
		line, err := bufio.NewReader(stdout).ReadString('\n')
		require.NoError(t, err)
		url := regexp.MustCompile(`http://\S+`).FindString(line)
		before := ask(t, c, url, digit(t))
		lenet(t, file, 2)
		require.NoError(t, p.Process.Signal(syscall.SIGHUP))
		errors := bufio.NewReader(io.TeeReader(stderr, &said))
		line, err = errors.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "serve: lenet: new weights of "+file+"\n", line)
		require.NotEqual(t, before, ask(t, c, url, digit(t)))
		lenet(t, file, 1)
		require.NoError(t, p.Process.Signal(end))
		_, err = io.ReadAll(errors)
		require.NoError(t, err)
		require.NoError(t, p.Wait(), said.String())
		require.Equal(t, command.Done, p.ProcessState.ExitCode())
		require.Equal(t, "serve: lenet: new weights of "+file+"\n", said.String())
	}
}
