package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// slimmed is the module that is changed before it is compiled. The type Dtype of
// gorgonia.org/tensor embeds a reflect.Type, and with it the methods that find methods by number
// and by name. Where a program may call these, Go's linker keeps every exported method of every
// type: of gonum, of three implementations of protocol buffers and of Arrow here, 14 MB of
// WebAssembly. Nothing calls them, so that two methods which hide them are enough.
const slimmed = "gorgonia.org/tensor"

const hiding = `package tensor

import "reflect"

// Method hides that of the embedded type.
func (Dtype) Method(int) reflect.Method { panic("tensor: a Dtype has no methods to look up") }

// MethodByName hides that of the embedded type.
func (Dtype) MethodByName(string) (reflect.Method, bool) {
	panic("tensor: a Dtype has no methods to look up")
}
`

// compile compiles demo/wasm, with files of its own in the folder work. It returns the program,
// and the JavaScript of Go's that starts it.
func compile(work string) (wasm, support []byte, err error) {
	if work, err = filepath.Abs(work); err != nil {
		return nil, nil, err
	}
	root, err := output("go", "env", "GOROOT")
	if err != nil {
		return nil, nil, err
	}
	if support, err = os.ReadFile(filepath.Join(root, "lib", "wasm", "wasm_exec.js")); err != nil {
		return nil, nil, err
	}
	modfile, err := slim(work)
	if err != nil {
		return nil, nil, err
	}
	file := filepath.Join(work, "hubel.wasm")
	build := exec.Command("go", "build", "-modfile", modfile, "-trimpath", "-ldflags", "-s -w", "-o", file, "./demo/wasm")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return nil, nil, fmt.Errorf("%v: %w\n%s", build, err, said)
	}
	wasm, err = os.ReadFile(file)
	return wasm, support, err
}

// slim copies the module that is changed, changes the copy, and returns a go.mod that takes it.
func slim(work string) (modfile string, err error) {
	from, err := output("go", "list", "-m", "-f", "{{.Dir}}", slimmed)
	if err != nil {
		return "", err
	}
	to := filepath.Join(work, "tensor")
	if err := os.RemoveAll(to); err != nil {
		return "", err
	}
	if err := copyTree(from, to); err != nil {
		return "", err
	}
	if err := os.Chmod(to, 0o777); err != nil { // the module cache cannot be written to
		return "", err
	}
	if err := os.WriteFile(filepath.Join(to, "dtype_hides_methods.go"), []byte(hiding), 0o666); err != nil {
		return "", err
	}
	modfile = filepath.Join(work, "go.mod")
	for _, name := range []string{"go.mod", "go.sum"} { // -modfile takes the go.sum beside it
		content, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(work, name), content, 0o666); err != nil {
			return "", err
		}
	}
	_, err = output("go", "mod", "edit", "-replace", slimmed+"="+to, modfile)
	return modfile, err
}

// output is what a program prints.
func output(program string, args ...string) (string, error) {
	var failed bytes.Buffer
	c := exec.Command(program, args...)
	c.Stderr = &failed
	text, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%v: %w\n%s", c, err, &failed)
	}
	return strings.TrimSpace(string(text)), nil
}
