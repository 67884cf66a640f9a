package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hubel-go/hubel/bench"
	"github.com/hubel-go/hubel/internal/atomicfile"
	"github.com/hubel-go/hubel/internal/printable"
)

// check is a run under way.
type check struct {
	ctx context.Context
	options
	bundle   string
	progress io.Writer

	results    []result
	listing    string                     // of the device
	missing    string                     // why there is no such device
	reports    map[string][]*bench.Report // of the places that were timed
	sections   []string                   // of the report
	writeError error
}

// result is how a step ended.
type result struct {
	name, state, detail string
	elapsed             time.Duration
}

// The states of a step.
const (
	pass = "PASS"
	fail = "FAIL"
	skip = "skip"
)

// skipped is why there is nothing to do in a step.
type skipped string

func (s skipped) Error() string { return string(s) }

func (c *check) anyFailed() bool {
	return slices.ContainsFunc(c.results, func(r result) bool { return r.state == fail })
}

// step runs a part of the check; f says what came out. The report is written
// again after each.
func (c *check) step(name string, f func(ctx context.Context) (detail string, err error)) {
	if c.ctx.Err() != nil {
		return
	}
	fmt.Fprintf(c.progress, "%-12s", name)
	ctx, cancel := context.WithTimeoutCause(c.ctx, c.limit, fmt.Errorf("took longer than %v", c.limit))
	defer cancel()
	began := time.Now()
	var detail string
	var err error
	if c.missing == "" {
		detail, err = f(ctx)
	} else {
		err = skipped("there is no device to try")
	}
	r := result{name: name, state: pass, detail: detail, elapsed: time.Since(began)}
	var why skipped
	switch {
	case errors.As(err, &why):
		r.state, r.detail = skip, string(why)
	case err != nil:
		r.state, r.detail = fail, err.Error()
	}
	r.detail = printable.Line(r.detail)
	c.results = append(c.results, r)
	fmt.Fprintf(c.progress, "%s %7.1f s  %s\n", r.state, r.elapsed.Seconds(), r.detail)
	c.writeError = cmp.Or(c.writeError, atomicfile.Write(c.path("report.md"), c.write))
}

// path is a file of this run.
func (c *check) path(name string) string { return filepath.Join(c.out, name) }

// program is one of the bundle's.
func (c *check) program(name string) string { return filepath.Join(c.bundle, name) }

// command runs a program, keeps all that it writes in a file, and returns what
// it wrote to its standard output.
func (c *check) command(ctx context.Context, log string, env []string, name string, args ...string) (string, error) {
	file, err := os.Create(c.path(log))
	if err != nil {
		return "", err
	}
	defer file.Close()
	var stdout, all bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(cmd.Environ(), env...)
	cmd.Stdout = io.MultiWriter(file, &stdout, &all)
	cmd.Stderr = io.MultiWriter(file, &all)
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return stdout.String(), fmt.Errorf("%s: %w: %s (%s has all of it)", filepath.Base(name), err, reason(all.String()), c.path(log))
	}
	return stdout.String(), nil
}

// crash is how a program in Go says that it ends, before its goroutines' stacks.
var crash = regexp.MustCompile(`(?m)^(panic: |fatal error: |SIG[A-Z]+: ).*$`)

// reason is the line that says why a program failed: how it crashed, or the last
// one that says something.
func reason(text string) string {
	if line := crash.FindString(text); line != "" {
		return line
	}
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	for _, l := range slices.Backward(lines) {
		if l = strings.TrimSpace(l); l != "" {
			return l
		}
	}
	return "it wrote nothing"
}

// write writes the report.
func (c *check) write(w io.Writer) error {
	fmt.Fprintf(w, "# gpu-check on %s\n\n| step | result | time | |\n|---|---|---|---|\n", c.device)
	for _, r := range c.results {
		fmt.Fprintf(w, "| %s | %s | %.1f s | %s |\n", r.name, r.state, r.elapsed.Seconds(), strings.ReplaceAll(r.detail, "|", `\|`))
	}
	for _, s := range c.sections {
		fmt.Fprintf(w, "\n%s", s)
	}
	return nil
}
