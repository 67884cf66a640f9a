package program

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/results"
	"github.com/hubel-go/hubel/solver"
)

// A run that is shown leaves the bytes of one that is not, and what others can look at later.
func TestLive(t *testing.T) {
	tiny(t)
	succeed(t, with("-iters", "6", "-out", "plain")...)
	stdout := succeed(t, with("-iters", "6", "-out", "shown", "-live")...)
	require.Regexp(t, `(?m)^live at http://127\.0\.0\.1:\d+/#token=[A-Z0-9]{26}$`, stdout)
	for _, name := range []string{solver.WeightsFile, solver.CheckpointFile, solver.BestFile} {
		a, err := os.ReadFile("plain/" + name)
		require.NoError(t, err)
		b, err := os.ReadFile("shown/" + name)
		require.NoError(t, err)
		require.Equal(t, a, b, name)
	}
	for _, name := range []string{results.FiltersFile, results.AnswersFile, results.MachineFile} {
		require.NoFileExists(t, "plain/"+name)
		require.FileExists(t, "shown/"+name)
	}
	require.NotContains(t, succeed(t, with("-iters", "6", "-out", "none", "-live=false")...), "live at")
	require.Contains(t, succeed(t, "-resume", "plain", "-iters", "8", "-live=127.0.0.1:0"), "live at http://127.0.0.1:")
}

func TestLiveRefusals(t *testing.T) {
	tiny(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	refused(t, "-live: listen tcp "+l.Addr().String()+": bind: address already in use", with("-out", "a", "-live="+l.Addr().String())...)
	for _, value := range []string{"", "x", "127.0.0.1", ":0", "70000", "-1", "127.0.0.1:http"} {
		refused(t, "for -live: it is a port, such as 8080, or an address, such as 127.0.0.1:8080", with("-live="+value)...)
	}
	refused(t, "-live takes its address after an equals sign: -live=8080", with("-live", "8080")...)
	refused(t, `"x" is not a flag`, with("-live", "x")...)
	refused(t, "-check writes nothing", with("-check", "-live")...)
	refused(t, "-live has no meaning with -summary", "-summary", "-model", "lenet", "-live")
}

// The buttons save and stop a run as Ctrl-C would.
func TestLiveButtons(t *testing.T) {
	tiny(t)
	out, in := io.Pipe()
	ended := make(chan int)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		code, _ := callTo(ctx, in, with("-iters", "100000000", "-threads", "1", "-out", "a", "-checkpoint", "1000000", "-live")...)
		in.Close()
		ended <- code
	}()
	lines := bufio.NewReader(out)
	var address, token string
	for address == "" {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		if m := regexp.MustCompile(`live at (\S+)#token=(\S+)`).FindStringSubmatch(line); m != nil {
			address, token = m[1], m[2]
		}
	}
	rest := make(chan string)
	go func() {
		text, _ := io.ReadAll(lines)
		rest <- string(text)
	}()
	press := func(what string) {
		r, err := http.NewRequestWithContext(ctx, "POST", address+"api/runs/0/"+what, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusNoContent, answer.StatusCode)
	}
	press("save")
	require.Eventually(t, func() bool {
		c, err := solver.PeekCheckpoint("a")
		return err == nil && c.Iteration > 0
	}, time.Minute, 10*time.Millisecond)
	press("stop")
	require.Equal(t, command.Interrupted, <-ended)
	require.Contains(t, <-rest, "Stopped and saved after")
	require.True(t, strings.HasPrefix(address, "http://127.0.0.1:"))
	_, err := http.Get(address)
	require.Error(t, err, "nothing listens any more")
}
