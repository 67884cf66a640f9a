package browser

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// root is the folder of hubel, from where programs run.
var root = func() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}()

// limit is how long a test may take on a slow machine.
const limit = 15 * time.Minute

// chromium is the browser's program, or the reason why there is none.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("HUBEL_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	t.Skip("there is no chromium: apt-get install chromium, or HUBEL_CHROMIUM=PROGRAM")
	return ""
}

// start starts a browser with one empty tab, which closes with the test. The test fails where a
// page complains, throws, or asks another server than this machine.
func start(t *testing.T) context.Context {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(chromium(t)), chromedp.UserDataDir(t.TempDir()), chromedp.NoFirstRun,
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
	}
	for _, flag := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "no-default-browser-check", "hide-scrollbars"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	var mu sync.Mutex
	var complaints []string
	complain := func(format string, values ...any) {
		mu.Lock()
		defer mu.Unlock()
		complaints = append(complaints, fmt.Sprintf(format, values...))
	}
	err := chromedp.Listen(ctx, func(e any) {
		switch e := e.(type) {
		case *runtime.EventExceptionThrown:
			text := e.ExceptionDetails.Text
			if x := e.ExceptionDetails.Exception; x != nil {
				text += " " + x.Description
			}
			complain("exception: %s", text)
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError && !expected(e.Entry.Text) {
				complain("log: %s %s", e.Entry.Text, e.Entry.URL)
			}
		case *network.EventRequestWillBeSent:
			u, err := url.Parse(e.Request.URL)
			if err != nil || u.Scheme == "http" && u.Hostname() != "127.0.0.1" || u.Scheme == "https" {
				complain("asks another server: %s", e.Request.URL)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, text := range complaints {
			t.Error(text)
		}
	})
	do(t, ctx,
		func(ctx context.Context, tab *chromedp.Target) (v chromedp.Void, err error) {
			if _, err = cdp.Call(ctx, tab, network.Enable, network.EnableParams{}); err == nil {
				_, err = cdp.Call(ctx, tab, log.Enable, cdp.Empty{})
			}
			return v, err
		})
	return ctx
}

// expected reports whether an error of the browser is that a program has ended, or that it
// refuses what a test sends, which the page has to tell.
func expected(text string) bool {
	for _, part := range []string{"ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "a status of 400"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// do does something in the browser.
func do(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// wait waits until an expression of JavaScript is true.
func wait(t *testing.T, ctx context.Context, expression string) {
	t.Helper()
	_, err := chromedp.Run(ctx, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingTimeout(limit), chromedp.WithPollingInterval(300*time.Millisecond)))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
}

// value is that of an expression of JavaScript.
func value[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// script runs JavaScript.
func script(text string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](text)
}

// screen sets the size of the window and whether the page is dark. Narrow ones are phones.
func screen(width, height int64, dark bool) chromedp.Action[chromedp.Void] {
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	size := chromedp.EmulateViewport(width, height)
	if width < 600 {
		size = chromedp.EmulateViewport(width, height, chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulatePortrait)
	}
	return chromedp.Steps(size, func(ctx context.Context, tab *chromedp.Target) (v chromedp.Void, err error) {
		_, err = cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return v, err
	})
}

// picture writes what the window shows into a file. With HUBEL_PICTURES=docs it is that folder
// of hubel; otherwise the picture goes with the test.
func picture(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if folder := os.Getenv("HUBEL_PICTURES"); folder != "" {
		dir = filepath.Join(root, folder)
	}
	if err := os.WriteFile(filepath.Join(dir, name), png, 0o666); err != nil {
		t.Fatal(err)
	}
}

// process is a program of bin/ that runs.
type process struct {
	cmd  *exec.Cmd
	done chan error

	mu   sync.Mutex
	text strings.Builder // printed so far
}

// run starts a program, which is interrupted when the test ends.
func run(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(filepath.Join(root, "bin", name), args...), done: make(chan error, 1)}
	p.cmd.Dir = root
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p.cmd.Stdout
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.read(out)
		p.done <- p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(os.Interrupt) // it may have ended
		p.end(t)
		if t.Failed() {
			t.Logf("%s printed:\n%s", name, p.printed())
		}
	})
	return p
}

func (p *process) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		p.mu.Lock()
		p.text.WriteString(lines.Text() + "\n")
		p.mu.Unlock()
	}
}

// printed is what the program has printed.
func (p *process) printed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// end waits for the end of the program, and returns its exit code.
func (p *process) end(t *testing.T) int {
	t.Helper()
	select {
	case err := <-p.done:
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
	case <-time.After(limit):
		_ = p.cmd.Process.Kill()
		t.Fatalf("%v does not end", p.cmd)
	}
	return p.cmd.ProcessState.ExitCode()
}

var address = regexp.MustCompile(`http://\S+`)

// url waits for the address that the program prints.
func (p *process) url(t *testing.T) string {
	t.Helper()
	for begin := time.Now(); time.Since(begin) < time.Minute; time.Sleep(50 * time.Millisecond) {
		if found := address.FindString(p.printed()); found != "" {
			return strings.TrimRight(found, ";,")
		}
	}
	t.Fatalf("no address is printed:\n%s", p.printed())
	return ""
}
